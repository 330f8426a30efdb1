// What the kernels are told: maps, tiles and weights. The same for every instruction set.
//
// Maps are channels-last. A row has one pixel of zeros before its first and enough of them behind
// its last that every 6x6 input of a tile lies inside; rows above and below the picture are a row
// of zeros. So the kernels never ask for the border when they read.
#pragma once

#include <cstddef>

namespace invdn {

constexpr int tile_edge = 4;         // outputs of a Winograd tile along one direction
constexpr int window_edge = 6;       // inputs
constexpr int points = 36;           // products
constexpr int channel_unit = 8;      // channels are padded to a multiple
constexpr int widest_product = 64;   // output channels that are multiplied in one go
constexpr int tiles_in_block = 24;   // tiles that are multiplied in one go: what keeps L2 filled
constexpr float leaky_slope = 0.2F;  // from: the official subnet

constexpr int padded(int channels) {
  return (channels + channel_unit - 1) / channel_unit * channel_unit;
}

// Rows of a map; row[y - first] is pixel 0 of row y of the picture.
struct Rows {
  float* const* row;
  int first;
  std::size_t pixel;  // floats from one pixel to the next
  int channel;        // the first that is meant
};

// Where the tiles lie: tile row t covers the rows from 4t + shift, tile column u the columns from
// 4u.
struct Grid {
  int first_tile_row;
  int shift;
  int tile_columns;
  int height;
  int width;
};

// Transformed kernels [36][inputs][outputs] and biases [outputs]; outputs is padded.
struct Weights {
  const float* kernels;
  const float* biases;
  int inputs;
  int outputs;
};

// LeakyReLU(convolution(source)): the first two convolutions of a subnet.
struct Features {
  Grid grid;
  Rows source;
  int channels;  // of the source, padded
  Weights weights;
  Rows target;
};

// target += sign * convolution([features, input]): the last convolution of F.
struct Additive {
  Grid grid;
  Rows features;
  int feature_channels;
  Rows input;
  int input_channels;
  Weights weights;
  Rows target;
  float sign;
};

// The last convolutions of G and H and what they are for, s = 2 sigmoid(H) - 1:
//   couple:  target = target * exp(s) + G
//   shares:  shift = G and scale = exp(-s), for any number of inverses
enum class Use { couple, uncouple, share };

struct Affine {
  Grid grid;
  Rows features_g;
  Rows features_h;
  int feature_channels;
  Rows input;
  int input_channels;
  Weights weights_g;
  Weights weights_h;
  Use use;
  Rows target;  // couple, uncouple
  Rows shift;   // share
  Rows scale;   // share
};

// One instruction set. Tiles begin to end of the grid, counted along its rows, at most
// tiles_in_block of them; scratch holds scratch_floats() and is the caller's alone.
struct Kernels {
  const char* name;
  void (*features)(const Features&, int begin, int end, float* scratch);
  void (*additive)(const Additive&, int begin, int end, float* scratch);
  void (*affine)(const Affine&, int begin, int end, float* scratch);
  void (*uncouple)(float* values, const float* shift, const float* scale, std::size_t count);
  double (*multiply_adds)(long rounds);  // does that many rounds; returns operations (2 each)
};

// Inputs of a tile at one point, so that each begins on a cache line.
constexpr int cache_unit = 16;  // floats of a cache line
constexpr int depth_of(int channels) {
  return (channels + cache_unit - 1) / cache_unit * cache_unit;
}

// From point to point of a block's inputs or products: not a multiple of 4096 bytes, where all
// points would share a few lines of the cache.
constexpr std::size_t product_stride(int channels) {
  return static_cast<std::size_t>(tiles_in_block) * static_cast<std::size_t>(channels) + 16;
}

// Floats of scratch for a network whose convolutions have this many inputs and outputs.
constexpr std::size_t scratch_floats(int inputs, int outputs) {
  return points * (product_stride(depth_of(inputs)) + product_stride(widest_product)) +
         static_cast<std::size_t>(tiles_in_block) * tile_edge * tile_edge *
             static_cast<std::size_t>(outputs);
}

// The kernels named "avx512", "avx2", "neon" or "plain"; with "auto" the fastest that this
// processor can run. Null where the name is unknown here or the processor cannot.
const Kernels* find_kernels(const char* name);

}  // namespace invdn
