#include "network.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>

namespace invdn {
namespace {

using Transformed = std::array<std::array<double, 6>, 6>;

// G of winograd.hpp, by Cook and Toom: row j is (1, p, p^2) / product of (p - other points) for the
// point p, and (0, 0, 1) for infinity.
const std::array<std::array<double, 3>, 6>& kernel_transform() {
  static const auto matrix = [] {
    const double small = std::sqrt(0.5), large = std::sqrt(2.0);
    const std::array<double, 5> finite{0, small, -small, large, -large};
    std::array<std::array<double, 3>, 6> rows{};
    for (std::size_t j = 0; j < finite.size(); ++j) {
      double product = 1;
      for (std::size_t other = 0; other < finite.size(); ++other) {
        if (other != j) product *= finite[j] - finite[other];
      }
      rows[j] = {1 / product, finite[j] / product, finite[j] * finite[j] / product};
    }
    rows[5] = {0, 0, 1};
    return rows;
  }();
  return matrix;
}

// G g G^T in float64, rounded once.
Transformed transform_kernel(const Kernel& g) {
  const auto& matrix = kernel_transform();
  Transformed result{};
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) {
      for (int y = 0; y < 3; ++y) {
        for (int x = 0; x < 3; ++x) result[i][j] += matrix[i][y] * g[y][x] * matrix[j][x];
      }
    }
  }
  return result;
}

std::vector<int> consecutive(int count, int first = 0) {
  std::vector<int> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), first);
  return positions;
}

// The nearest bfloat16, ties to even.
std::uint16_t to_bfloat16(float value) {
  std::uint32_t bits;  // emscripten 3.1.6 has no std::bit_cast
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bfloat16(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

Convolution::Convolution(int features, int inputs, int outputs, const Products& products)
    : features_(features),
      inputs_(inputs),
      outputs_(padded(outputs)),
      products_(products),
      kernels_(products.tiles()
                   ? (bf16_weights(features, inputs, outputs_, products) + 1) / 2
                   : static_cast<std::size_t>(winograd_points * outputs_ *
                                              Weights{.kernels = nullptr,
                                                      .halves = nullptr,
                                                      .products = products,
                                                      .biases = nullptr,
                                                      .features = features,
                                                      .inputs = inputs,
                                                      .outputs = outputs_}
                                                  .units())),
      biases_(static_cast<std::size_t>(panels_of(outputs) * panel_width)) {}

Weights Convolution::weights() const {
  const float* const values = kernels_.data();
  return {products_.tiles() ? nullptr : values,
          products_.tiles() ? reinterpret_cast<const std::uint16_t*>(values) : nullptr,
          products_,
          biases_.data(),
          features_,
          inputs_,
          outputs_};
}

void Convolution::add(const Tensors& tensors, int outputs, int first_output,
                      const std::vector<int>& positions) {
  const float* values = tensors.kernels;
  for (int o = 0; o < outputs; ++o) {
    const auto output = static_cast<std::size_t>(first_output + o);
    biases_.data()[output] = tensors.biases[o];
    for (const int position : positions) {
      Kernel kernel;
      for (auto& row : kernel) {
        for (double& value : row) value = *values++;
      }
      set(output, position, kernel);
    }
  }
}

void Convolution::set(std::size_t output, int position, const Kernel& kernel) {
  if (products_.tiles()) {
    set_tiles(output, position, kernel);
  } else {
    set_points(output, position, kernel);
  }
}

void Convolution::set_points(std::size_t output, int position, const Kernel& kernel) {
  const Transformed transformed = transform_kernel(kernel);
  const Weights sizes = weights();
  const bool feature = position < features_;
  const bool rounded = feature ? products_.feature_pairs() : products_.input_pairs();
  const int number = feature ? position : position - features_;
  const int unit = (feature ? 0 : sizes.feature_units()) + (rounded ? number / 2 : number);
  for (int point = 0; point < winograd_points; ++point) {
    const auto value = static_cast<float>(
        transformed[static_cast<std::size_t>(point / 6)][static_cast<std::size_t>(point % 6)]);
    float* const place = kernels_.data() +
                         static_cast<std::size_t>(point * sizes.units() + unit) *
                             static_cast<std::size_t>(outputs_) +
                         output;
    if (rounded) {
      reinterpret_cast<std::uint16_t*>(place)[number % 2] = to_bfloat16(value);
    } else {
      *place = value;
    }
  }
}

void Convolution::set_tiles(std::size_t output, int position, const Kernel& kernel) {
  const int stored = products_.stored();
  const int first_input = feature_chunks(features_, products_) * stored;
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 3; ++x) {
      const auto value =
          static_cast<float>(kernel[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)]);
      const std::uint16_t high = to_bfloat16(value);
      const std::uint16_t low = to_bfloat16(value - from_bfloat16(high));
      if (position < features_) {
        const int group = products_.group(), place = position % group;
        const int tile = ((position / group * 3 + y) * 3 + x) * stored;
        put(output, tile, place, high);
        if (products_.paired) put(output, tile, place + group, high);
        if (stored == 2) put(output, tile + 1, place, low);
        continue;
      }
      for (int term = 0; term < products_.inputs; ++term) {
        const int run = (x * products_.inputs + term) * inputs_ + position - features_;
        const int tile =
            first_input + y * chunks_of(3 * inputs_ * products_.inputs) + run / chunk_depth;
        put(output, tile, run % chunk_depth, term < 2 ? high : low);
      }
    }
  }
}

// Sets one number of a tile of weights of the panel that has the output.
void Convolution::put(std::size_t output, int tile, int place, std::uint16_t half) {
  const int tiles = panel_tiles(features_, inputs_, products_);
  const auto number =
      static_cast<std::size_t>(static_cast<int>(output) / panel_width * tiles + tile);
  const auto within = static_cast<std::size_t>(place / 2 * 2 * panel_width + place % 2);
  reinterpret_cast<std::uint16_t*>(
      kernels_.data())[number * weights_tile + within + output % panel_width * 2] = half;
}

namespace {

Block block(const BlockTensors& tensors, int split, int rest, int features, const Rules& rules,
            bool first_level) {
  const int wide = padded(features);
  const auto first = [&](const Tensors& values, int inputs) {
    Convolution result(0, inputs, features, rules.outer);
    result.add(values, features, 0, consecutive(inputs));
    return result;
  };
  const auto second = [&](const Tensors& values) {
    Convolution result(wide, 0, wide, first_level ? rules.inner : rules.deep);
    result.add(values, features, 0, consecutive(features));
    return result;
  };
  // In the file the input comes first, in our maps the features do.
  const auto third = [&](const Tensors& values, int inputs, int outputs, const Products& products) {
    Convolution result(wide, inputs, outputs, products);
    std::vector<int> positions = consecutive(inputs, wide);
    const std::vector<int> behind = consecutive(features);
    positions.insert(positions.end(), behind.begin(), behind.end());
    result.add(values, outputs, 0, positions);
    return result;
  };
  const Products& of_pair = first_level ? rules.outer : rules.last;
  const int second_half = second_of_pair(features, rules);
  Convolution gh_first(0, split, second_half + wide, rules.outer);
  gh_first.add(tensors.g.first, features, 0, consecutive(split));
  gh_first.add(tensors.h.first, features, second_half, consecutive(split));
  return {
      .f_first = first(tensors.f.first, rest),
      .f_second = second(tensors.f.second),
      .f_third = third(tensors.f.third, rest, split, rules.last),
      .gh_first = std::move(gh_first),
      .g_second = second(tensors.g.second),
      .h_second = second(tensors.h.second),
      .g_third = third(tensors.g.third, split, rest, of_pair),
      .h_third = third(tensors.h.third, split, rest, of_pair),
  };
}

}  // namespace

Network::Network(const std::vector<int>& blocks, int features, int channels,
                 const std::vector<BlockTensors>& tensors, Precision precision, Halves halves)
    : channels_(channels),
      features_(padded(features)),
      rules_(invdn::rules(precision, halves, features)) {
  auto next = tensors.begin();
  int all = channels;
  for (const int count : blocks) {
    all *= 4;
    Level level{channels, all - channels, {}};
    for (int i = 0; i < count; ++i) {
      level.blocks.push_back(
          block(*next++, level.split, level.rest, features, rules_, levels_.empty()));
    }
    levels_.push_back(std::move(level));
  }
}

std::size_t Network::scratch() const {
  const int widest = padded(levels_.back().rest);
  return scratch_floats(features_, std::max(widest, padded(channels_)), widest);
}

}  // namespace invdn
