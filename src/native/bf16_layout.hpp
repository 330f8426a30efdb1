// How weights lie for direct convolutions by tiles of bfloat16.
//
// A product takes 32 inputs of a pixel at once: a chunk. Chunks of a wide map are 32 channels at
// one of the nine places of the kernel, in the order (channels, row, column). What the subnet reads
// has few channels; they lie closely, so that the three columns of one row of the kernel are one
// run of 3 * inputs numbers, cut into chunks. A tile of weights is [16 pairs of inputs][16
// outputs][2].
#pragma once

#include <cstddef>

namespace invdn {

constexpr int chunk_depth = 32;
constexpr int panel_width = 16;  // outputs of a tile of weights
constexpr std::size_t weights_tile = 512;

constexpr int chunks_of(int numbers) { return (numbers + chunk_depth - 1) / chunk_depth; }
constexpr int feature_chunks(int features) { return 9 * chunks_of(features); }
constexpr int input_chunks(int inputs) { return 3 * chunks_of(3 * inputs); }
constexpr int panels_of(int outputs) { return (outputs + panel_width - 1) / panel_width; }

// Weights: [panel][chunk][term], where the second of three terms is what the first one's rounding
// left; the third product takes the first again.
constexpr int stored_terms(int terms) { return terms == 3 ? 2 : 1; }
constexpr std::size_t bf16_weights(int features, int inputs, int outputs, int terms) {
  return static_cast<std::size_t>(panels_of(outputs) *
                                  (feature_chunks(features) + input_chunks(inputs)) *
                                  stored_terms(terms)) *
         weights_tile;
}

}  // namespace invdn
