// How numbers lie for direct convolutions by tiles of bfloat16.
//
// A product takes 32 numbers at once: a chunk. Chunks of a wide map are 32 channels of a pixel at
// one of the nine places of the kernel, in the order (channels, row, column). What rounding left of
// them lies in planes of its own; a map of 16 channels or fewer holds both in one chunk, [16
// rounded][16 left], which is multiplied by the same weights twice.
//
// What the subnet reads has few channels; they lie closely, so that the three columns of one row of
// the kernel are one run of numbers, cut into chunks. Where they are to be exact, a pixel holds
// [rounded][left][rounded] for weights [rounded][rounded][left]: three products in one.
//
// A tile of weights is [16 pairs of inputs][16 outputs][2].
#pragma once

#include <cstddef>

namespace invdn {

constexpr int chunk_depth = 32;
constexpr int panel_width = 16;  // outputs of a tile of weights
constexpr std::size_t weights_tile = 512;
constexpr int tile_pixels = 64;  // four rows of 16 that are multiplied together

// How kernels multiply bfloat16, if they do.
enum class Halves {
  none,
  pairs,  // Winograd's points, two at once
  tiles,  // direct convolutions, as told above
};

// Products of bfloat16 for each one of float32.
struct Products {
  Halves halves;
  int features;  // of a wide map: with tiles 1 or 3, else 1 or 0: those stay float32
  int inputs;    // of what the subnet reads, likewise
  bool paired;   // a chunk of the wide map holds 16 channels and what their rounding left

  constexpr bool tiles() const { return halves == Halves::tiles; }
  constexpr bool feature_pairs() const { return halves == Halves::pairs && features == 1; }
  constexpr bool input_pairs() const { return halves == Halves::pairs && inputs == 1; }
  constexpr int group() const { return paired ? chunk_depth / 2 : chunk_depth; }
  // Tiles of weights for a chunk of a wide map: the second one is what the first one's rounding
  // left.
  constexpr int stored() const { return features == 3 ? 2 : 1; }
};

constexpr int chunks_of(int numbers, int group = chunk_depth) {
  return (numbers + group - 1) / group;
}
constexpr int feature_chunks(int features, const Products& products) {
  return 9 * chunks_of(features, products.group());
}
constexpr int input_chunks(int inputs, const Products& products) {
  return 3 * chunks_of(3 * inputs * products.inputs);
}
constexpr int panels_of(int outputs) { return (outputs + panel_width - 1) / panel_width; }

// Tiles of a panel of weights: [chunk of features][stored], [chunk of inputs].
constexpr int panel_tiles(int features, int inputs, const Products& products) {
  return feature_chunks(features, products) * products.stored() + input_chunks(inputs, products);
}
constexpr std::size_t bf16_weights(int features, int inputs, int outputs,
                                   const Products& products) {
  return static_cast<std::size_t>(panels_of(outputs) * panel_tiles(features, inputs, products)) *
         weights_tile;
}

// Floats of scratch for two products and the inputs of so many Winograd tiles, each in a row of its
// own at worst: six rows of six pixels, and what is read beyond them.
constexpr std::size_t tile_floats(int tiles, int inputs) {
  const int halves = (tiles * 36 + panel_width) * 3 * inputs + (tiles + 2) * chunk_depth;
  return static_cast<std::size_t>(2 * tile_pixels * panel_width + halves / 2);
}

}  // namespace invdn
