#include "network.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace invdn {
namespace {

using Kernel = std::array<std::array<double, 3>, 3>;
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

}  // namespace

Convolution::Convolution(int inputs, int outputs)
    : inputs_(inputs),
      outputs_(padded(outputs)),
      kernels_(static_cast<std::size_t>(points) * inputs * padded(outputs)),
      biases_(static_cast<std::size_t>(padded(outputs))) {}

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
      const Transformed transformed = transform_kernel(kernel);
      for (std::size_t point = 0; point < points; ++point) {
        const auto input = point * static_cast<std::size_t>(inputs_) + position;
        kernels_.data()[input * outputs_ + output] =
            static_cast<float>(transformed[point / 6][point % 6]);
      }
    }
  }
}

namespace {

Convolution simple(const Tensors& tensors, int inputs, int outputs, int padded_inputs) {
  Convolution result(padded_inputs, outputs);
  result.add(tensors, outputs, 0, consecutive(inputs));
  return result;
}

// The last of a subnet: in the file the input comes first, in our maps the features do.
Convolution last(const Tensors& tensors, int inputs, int features, int outputs) {
  Convolution result(padded(features) + inputs, outputs);
  std::vector<int> positions = consecutive(inputs, padded(features));
  const std::vector<int> behind = consecutive(features);
  positions.insert(positions.end(), behind.begin(), behind.end());
  result.add(tensors, outputs, 0, positions);
  return result;
}

Block block(const BlockTensors& tensors, int split, int rest, int features) {
  const int wide = padded(features);
  Convolution gh_first(split, 2 * wide);
  gh_first.add(tensors.g.first, features, 0, consecutive(split));
  gh_first.add(tensors.h.first, features, wide, consecutive(split));
  return {
      simple(tensors.f.first, rest, features, rest),
      simple(tensors.f.second, features, features, wide),
      last(tensors.f.third, rest, features, split),
      std::move(gh_first),
      simple(tensors.g.second, features, features, wide),
      simple(tensors.h.second, features, features, wide),
      last(tensors.g.third, split, features, rest),
      last(tensors.h.third, split, features, rest),
  };
}

}  // namespace

Network::Network(const std::vector<int>& blocks, int features, int channels,
                 const std::vector<BlockTensors>& tensors)
    : channels_(channels), features_(padded(features)) {
  auto next = tensors.begin();
  int all = channels;
  for (const int count : blocks) {
    all *= 4;
    Level level{channels, all - channels, {}};
    for (int i = 0; i < count; ++i) {
      level.blocks.push_back(block(*next++, level.split, level.rest, features));
    }
    levels_.push_back(std::move(level));
  }
}

std::size_t Network::scratch() const {
  const int widest = padded(levels_.back().rest);
  return scratch_floats(features_ + std::max(widest, padded(channels_)), widest);
}

}  // namespace invdn
