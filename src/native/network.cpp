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

std::size_t weights_floats(int features, int inputs, int outputs, int terms) {
  if (terms > 0) return (bf16_weights(features, inputs, outputs, terms) + 1) / 2;
  return static_cast<std::size_t>(winograd_points * (features + inputs)) *
         static_cast<std::size_t>(outputs);
}

}  // namespace

Convolution::Convolution(int features, int inputs, int outputs, int terms)
    : features_(features),
      inputs_(inputs),
      outputs_(padded(outputs)),
      terms_(terms),
      kernels_(weights_floats(features, inputs, outputs_, terms)),
      biases_(static_cast<std::size_t>(terms > 0 ? panels_of(outputs) * panel_width : outputs_)) {}

Weights Convolution::weights() const {
  const bool halves = terms_ > 0;
  return {halves ? nullptr : kernels_.data(),
          halves ? reinterpret_cast<const std::uint16_t*>(kernels_.data()) : nullptr,
          terms_,
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
  if (terms_ == 0) {
    const Transformed transformed = transform_kernel(kernel);
    const auto depth = static_cast<std::size_t>(features_ + inputs_);
    for (std::size_t point = 0; point < winograd_points; ++point) {
      const std::size_t input = point * depth + static_cast<std::size_t>(position);
      kernels_.data()[input * static_cast<std::size_t>(outputs_) + output] =
          static_cast<float>(transformed[point / 6][point % 6]);
    }
    return;
  }
  auto* halves = reinterpret_cast<std::uint16_t*>(kernels_.data());
  const int terms = stored_terms(terms_);
  const int chunks = feature_chunks(features_) + input_chunks(inputs_);
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 3; ++x) {
      int chunk, place;
      if (position < features_) {
        chunk = (position / chunk_depth * 3 + y) * 3 + x;
        place = position % chunk_depth;
      } else {
        const int run = x * inputs_ + position - features_;
        chunk = feature_chunks(features_) + y * chunks_of(3 * inputs_) + run / chunk_depth;
        place = run % chunk_depth;
      }
      const auto tile = static_cast<std::size_t>(
          (static_cast<int>(output) / panel_width * chunks + chunk) * terms);
      const std::size_t number = tile * weights_tile +
                                 static_cast<std::size_t>(place / 2 * 2 * panel_width + place % 2) +
                                 output % panel_width * 2;
      const auto value =
          static_cast<float>(kernel[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)]);
      halves[number] = to_bfloat16(value);
      if (terms == 2) {
        halves[number + weights_tile] = to_bfloat16(value - from_bfloat16(halves[number]));
      }
    }
  }
}

namespace {

// How a precision multiplies the convolutions between wide maps, and the others.
struct Terms {
  int inner, outer;
};

Terms terms_of(Precision precision) {
  switch (precision) {
    case Precision::float32:
      return {0, 0};
    case Precision::bfloat16:
      return {1, 1};
    case Precision::mixed:
      return {1, 3};
    default:
      return {3, 3};
  }
}

Block block(const BlockTensors& tensors, int split, int rest, int features, Terms terms) {
  const int wide = padded(features);
  const auto first = [&](const Tensors& values, int inputs) {
    Convolution result(0, inputs, features, terms.outer);
    result.add(values, features, 0, consecutive(inputs));
    return result;
  };
  const auto second = [&](const Tensors& values) {
    Convolution result(wide, 0, wide, terms.inner);
    result.add(values, features, 0, consecutive(features));
    return result;
  };
  // In the file the input comes first, in our maps the features do.
  const auto third = [&](const Tensors& values, int inputs, int outputs) {
    Convolution result(wide, inputs, outputs, terms.outer);
    std::vector<int> positions = consecutive(inputs, wide);
    const std::vector<int> behind = consecutive(features);
    positions.insert(positions.end(), behind.begin(), behind.end());
    result.add(values, outputs, 0, positions);
    return result;
  };
  const int second_half = second_of_pair(features, terms.outer > 0);
  Convolution gh_first(0, split, second_half + wide, terms.outer);
  gh_first.add(tensors.g.first, features, 0, consecutive(split));
  gh_first.add(tensors.h.first, features, second_half, consecutive(split));
  return {
      .f_first = first(tensors.f.first, rest),
      .f_second = second(tensors.f.second),
      .f_third = third(tensors.f.third, rest, split),
      .gh_first = std::move(gh_first),
      .g_second = second(tensors.g.second),
      .h_second = second(tensors.h.second),
      .g_third = third(tensors.g.third, split, rest),
      .h_third = third(tensors.h.third, split, rest),
  };
}

}  // namespace

Network::Network(const std::vector<int>& blocks, int features, int channels,
                 const std::vector<BlockTensors>& tensors, Precision precision)
    : channels_(channels), features_(padded(features)), precision_(precision) {
  auto next = tensors.begin();
  int all = channels;
  for (const int count : blocks) {
    all *= 4;
    Level level{channels, all - channels, {}};
    for (int i = 0; i < count; ++i) {
      level.blocks.push_back(
          block(*next++, level.split, level.rest, features, terms_of(precision)));
    }
    levels_.push_back(std::move(level));
  }
}

std::size_t Network::scratch() const {
  const int widest = padded(levels_.back().rest);
  return scratch_floats(features_, std::max(widest, padded(channels_)), widest);
}

}  // namespace invdn
