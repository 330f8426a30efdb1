// What the kernels are told: maps, tiles and weights. The same for every instruction set.
//
// Maps are channels-last. A row has one pixel of zeros before its first and enough of them behind
// its last that every 6x6 input of a tile lies inside; rows above and below the picture are a row
// of zeros. So the kernels never ask for the border when they read.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bf16_layout.hpp"

namespace invdn {

constexpr int tile_edge = 4;         // outputs of a tile along one direction
constexpr int input_edge = 6;        // inputs
constexpr int winograd_points = 36;  // products of a Winograd tile
constexpr int channel_unit = 8;      // channels are padded to a multiple
constexpr int widest_product = 64;   // output channels that are multiplied in one go
constexpr int tiles_in_block = 24;   // tiles that are multiplied in one go: what keeps L2 filled
constexpr float leaky_slope = 0.2F;  // from: the official subnet

constexpr int padded(int channels) {
  return (channels + channel_unit - 1) / channel_unit * channel_unit;
}

// What convolutions multiply. Sums, the planes that couplings change and their arithmetic are
// float32 always. "Exact" is bfloat16x3 with tiles and float32 with pairs (see Halves).
enum class Precision {
  float32,
  bfloat16,      // both factors rounded to 8 bits
  mixed_inputs,  // bfloat16 from wide maps; what the subnets read exact
  mixed,         // bfloat16 between wide maps, where most of the work is, with pairs those of the
                 // first level; the rest exact
  bfloat16x3,    // both factors as sums of two bfloat16, without the product of the small parts
};

// Rows of a map; row[y - first] is pixel 0 of row y of the picture. Where the kernels multiply
// tiles, wide maps hold bfloat16, as bf16_layout.hpp says; steps are in floats all the same.
struct Rows {
  float* const* row;
  int first;
  std::size_t pixel;      // floats from one pixel to the next
  int channel;            // the first that is meant
  std::size_t low = 0;    // floats from a bfloat16 to what its rounding left, 0: that is not kept
  std::size_t plane = 0;  // floats from the channels of a chunk to those of the next one
  int group = 32;         // channels in a chunk
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

// Kernels and biases [outputs] of a convolution of [features, inputs]: channels of a wide map,
// padded, and those that the subnet reads. `outputs` is padded.
struct Weights {
  const float* kernels;         // transformed [36][units][outputs], or
  const std::uint16_t* halves;  // bfloat16, as bf16_layout.hpp has them
  Products products;
  const float* biases;
  int features;
  int inputs;
  int outputs;

  // Units at a point, features before inputs: a number in float32, or two in bfloat16, which come
  // before those in float32.
  constexpr int feature_units() const {
    return products.feature_pairs() ? features / 2 : features;
  }
  constexpr int input_units() const { return products.input_pairs() ? (inputs + 1) / 2 : inputs; }
  constexpr int units() const { return feature_units() + input_units(); }
  constexpr int pairs() const {
    return (products.feature_pairs() ? feature_units() : 0) +
           (products.input_pairs() ? input_units() : 0);
  }
};

// LeakyReLU(convolution): the first two convolutions of a subnet.
struct Features {
  Grid grid;
  Rows features;
  Rows input;
  Weights weights;
  Rows target;
};

// target += sign * convolution: the last convolution of F.
struct Additive {
  Grid grid;
  Rows features;
  Rows input;
  Weights weights;
  Rows target;
  float sign;
};

// The last convolutions of G and H and what they are for, s = 2 sigmoid(H) - 1:
//   forward:     target = target * exp(s) + G
//   inverse:     target = (target - G) * exp(-s)
//   precompute:  shift = G and scale = exp(-s), for any number of inverses
enum class Use { forward, inverse, precompute };

struct Affine {
  Grid grid;
  Rows features_g;
  Rows features_h;
  Rows input;
  Weights weights_g;
  Weights weights_h;
  Use use;
  Rows target;  // forward, inverse
  Rows shift;   // precompute
  Rows scale;   // precompute
};

// One instruction set. Tiles begin to end of the grid, counted along its rows, at most
// tiles_in_block of them; scratch holds scratch_floats() and is the caller's alone.
struct Kernels {
  const char* name;
  Halves halves;
  void (*features)(const Features&, int begin, int end, float* scratch);
  void (*additive)(const Additive&, int begin, int end, float* scratch);
  void (*affine)(const Affine&, int begin, int end, float* scratch);
  void (*uncouple)(float* values, const float* shift, const float* scale, std::size_t count);
  double (*multiply_adds)(long rounds);  // does that many rounds; returns operations (2 each)
};

// Floats of a tile's inputs at one point, padded so that each tile begins on a cache line.
constexpr int depth_of(int features, int inputs) {
  return (features + padded(inputs) + 15) / 16 * 16;
}
constexpr int depth_of(const Weights& weights) {
  const int inputs = padded(weights.inputs);
  return depth_of(weights.feature_units(), weights.products.input_pairs() ? inputs / 2 : inputs);
}

// From point to point of a block's inputs or products: not a multiple of 4096 bytes, where all
// points would share a few lines of the cache.
constexpr std::size_t product_stride(int channels) {
  return static_cast<std::size_t>(tiles_in_block) * static_cast<std::size_t>(channels) + 16;
}

// Floats of scratch for the inputs and products of a block: Winograd's, or those of tiles.
constexpr std::size_t products_floats(int features, int inputs) {
  const std::size_t points = winograd_points * (product_stride(depth_of(features, inputs)) +
                                                product_stride(widest_product));
  const std::size_t tiles = tile_floats(tiles_in_block, padded(inputs));
  return points > tiles ? points : tiles;
}
constexpr std::size_t products_floats(const Weights& weights) {
  return products_floats(weights.features, weights.inputs);
}

// And for a whole task, whose convolutions have this many inputs and outputs at most.
constexpr std::size_t scratch_floats(int features, int inputs, int outputs) {
  return products_floats(features, inputs) + static_cast<std::size_t>(tiles_in_block) * tile_edge *
                                                 tile_edge * static_cast<std::size_t>(outputs);
}

// The kernels named "avx512", "avx2", "neon", "wasm" or "plain", which compute in float32, or
// "amx", "avx512_bf16" or "neon_bf16", which multiply bfloat16; with "auto" the first for the
// precision that this processor can run. Null where the name is unknown here, the processor cannot,
// or the kernels do not have the precision.
const Kernels* find_kernels(const char* name, Precision precision = Precision::float32);

}  // namespace invdn
