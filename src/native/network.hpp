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

// The channel where the features of H begin behind those of G; with bfloat16 they may not lie
// across planes of 32 channels.
constexpr int second_of_pair(int features, bool bfloat16) {
  const int wide = padded(features);
  if (!bfloat16 || wide % chunk_depth == 0 || chunk_depth % wide == 0) return wide;
  return chunks_of(wide) * chunk_depth;
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
  // All zero, from `features` channels of a wide map, padded, and `inputs` of a plane. terms:
  // products of bfloat16 for each of float32, or 0 for float32.
  Convolution(int features, int inputs, int outputs, int terms);

  // Adds the kernels of `outputs` times `inputs`; output o becomes first_output + o, and input i
  // becomes positions[i].
  void add(const Tensors& tensors, int outputs, int first_output,
           const std::vector<int>& positions);

  Weights weights() const;

 private:
  void set(std::size_t output, int position, const Kernel& kernel);

  int features_;
  int inputs_;
  int outputs_;  // padded
  int terms_;
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
          const std::vector<BlockTensors>& tensors, Precision precision = Precision::float32);

  const std::vector<Level>& levels() const { return levels_; }
  int channels() const { return channels_; }
  int features() const { return features_; }  // padded
  Precision precision() const { return precision_; }
  int scale() const { return 1 << levels_.size(); }
  int latent_channels() const { return levels_.back().rest; }

  // Floats of scratch that the kernels need for each thread.
  std::size_t scratch() const;

 private:
  int channels_;
  int features_;
  Precision precision_;
  std::vector<Level> levels_;
};

}  // namespace invdn
