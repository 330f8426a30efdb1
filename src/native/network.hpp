// The network's weights, transformed once for Winograd's products.
#pragma once

#include <array>
#include <vector>

#include "bf16_layout.hpp"
#include "buffer.hpp"
#include "kernels.hpp"

namespace invdn {

// A 3x3 kernel.
using Kernel = std::array<std::array<double, 3>, 3>;

// A 3x3 convolution of the official layout, kernels [outputs][inputs][3][3].
struct Tensors {
  const float* kernels;
  const float* biases;
};

// How a precision multiplies the convolutions between wide maps, those behind the first level and
// the others; of these F's last one, and those of G and H behind the first level, take `last`:
// their rounded weights show less.
struct Rules {
  Products inner, deep, outer, last;

  constexpr bool tiles() const { return outer.tiles(); }
  // Numbers that a wide map holds for each of its own.
  constexpr int map_terms() const { return outer.features == 3 || inner.features == 3 ? 2 : 1; }
};

constexpr int narrow = chunk_depth / 2;  // channels of a map that one chunk holds twice

constexpr Rules rules(Precision precision, Halves halves, int features) {
  const int exact = halves == Halves::tiles ? 3 : 0;
  const auto terms = [&](int inner, int deep, int outer, int inputs) {
    const bool paired = padded(features) <= narrow && (inner == 3 || outer == 3);
    const int last = paired ? inner : outer;
    return Rules{{halves, inner, inputs, paired},
                 {halves, deep, inputs, paired},
                 {halves, outer, inputs, paired},
                 {halves, last, inputs, paired}};
  };
  if (halves == Halves::none) return terms(0, 0, 0, 0);
  switch (precision) {
    case Precision::bfloat16:
      return terms(1, 1, 1, 1);
    case Precision::mixed_inputs:
      return terms(1, 1, 1, exact);
    case Precision::mixed:
      // Winograd's points, rounded, err more than pixels do.
      return terms(1, halves == Halves::tiles ? 1 : exact, exact, exact);
    default:
      return terms(exact, exact, exact, exact);
  }
}

// The channel where the features of H begin behind those of G; with bfloat16 they may not lie
// across chunks.
constexpr int second_of_pair(int features, const Rules& rules) {
  const int wide = padded(features), group = rules.outer.group();
  if (!rules.tiles() || wide % group == 0 || group % wide == 0) return wide;
  return chunks_of(wide, group) * group;
}

// The three convolutions of a subnet.
struct Subnet {
  Tensors first, second, third;
};

// One coupling block as a weights file has it.
struct BlockTensors {
  Subnet f, g, h;
};

class Convolution {
 public:
  // All zero, from `features` channels of a wide map, padded, and `inputs` of a plane.
  Convolution(int features, int inputs, int outputs, const Products& products);

  // Adds the kernels of `outputs` times `inputs`; output o becomes first_output + o, and input i
  // becomes positions[i].
  void add(const Tensors& tensors, int outputs, int first_output,
           const std::vector<int>& positions);

  Weights weights() const;

 private:
  void set(std::size_t output, int position, const Kernel& kernel);
  void set_points(std::size_t output, int position, const Kernel& kernel);
  void set_tiles(std::size_t output, int position, const Kernel& kernel);
  void put(std::size_t output, int tile, int place, std::uint16_t half);

  int features_;
  int inputs_;
  int outputs_;  // padded
  Products products_;
  Buffer kernels_;
  Buffer biases_;
};

// A coupling block. G and H read the same input, so their first convolutions are one, with the
// features of G before those of H. The last convolutions see the features first, then the input.
struct Block {
  Convolution f_first, f_second, f_third;
  Convolution gh_first, g_second, h_second, g_third, h_third;
};

// All blocks of one size of map, on `split` + `rest` channels.
struct Level {
  int split;
  int rest;
  std::vector<Block> blocks;
};

class Network {
 public:
  // blocks: coupling blocks of each level, as many tensors in all.
  Network(const std::vector<int>& blocks, int features, int channels,
          const std::vector<BlockTensors>& tensors, Precision precision = Precision::float32,
          Halves halves = Halves::none);

  const std::vector<Level>& levels() const { return levels_; }
  int channels() const { return channels_; }
  int features() const { return features_; }  // padded
  const Rules& rules() const { return rules_; }
  int scale() const { return 1 << levels_.size(); }
  int latent_channels() const { return levels_.back().rest; }

  // Floats of scratch that the kernels need for each thread.
  std::size_t scratch() const;

 private:
  int channels_;
  int features_;
  Rules rules_;
  std::vector<Level> levels_;
};

}  // namespace invdn
