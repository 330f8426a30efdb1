// The network's weights, transformed once for Winograd's products.
#pragma once

#include <vector>

#include "buffer.hpp"
#include "kernels.hpp"

namespace invdn {

// A 3x3 convolution of the official layout, kernels [outputs][inputs][3][3].
struct Tensors {
  const float* kernels;
  const float* biases;
};

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
  // All zero.
  Convolution(int inputs, int outputs);

  // Adds the kernels of `outputs` times `inputs`; output o becomes first_output + o, and input i
  // becomes positions[i].
  void add(const Tensors& tensors, int outputs, int first_output,
           const std::vector<int>& positions);

  Weights weights() const { return {kernels_.data(), biases_.data(), inputs_, outputs_}; }

 private:
  int inputs_;
  int outputs_;  // padded
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
          const std::vector<BlockTensors>& tensors);

  const std::vector<Level>& levels() const { return levels_; }
  int channels() const { return channels_; }
  int features() const { return features_; }  // padded
  int scale() const { return 1 << levels_.size(); }
  int latent_channels() const { return levels_.back().rest; }

  // Floats of scratch that the kernels need for each thread.
  std::size_t scratch() const;

 private:
  int channels_;
  int features_;
  std::vector<Level> levels_;
};

}  // namespace invdn
