// Haar downsampling and its inverse as butterflies, between planes of one size and the next.
//
//     [a b]   average     (a + b + c + d) / 4        The inverse is the same butterfly without the
//     [c d]   vertical    (a - b + c - d) / 4        division. Channels are ordered band first,
//             horizontal  (a + b - c - d) / 4        colour second.
//             diagonal    (a - b - c + d) / 4
//
// References: Haar, Zur Theorie der orthogonalen Funktionensysteme, 1910; Liu et al., Invertible
// Denoising Network, CVPR 2021, section 3.2 (arXiv 2104.10546).
#pragma once

#include <cstddef>

#include "stages.hpp"

namespace invdn {

// Pixels as the caller has them, in steps of floats: any axis may be reversed or exchanged.
struct View {
  const float* data;
  std::ptrdiff_t channel, row, column;
};

// Where results go: rows of `width` floats, channel by channel.
struct Target {
  float* data;
  std::ptrdiff_t channel, row;
};

// A level's map: the first channels in one plane, the rest in another.
struct Map {
  const Plane& split;
  const Plane& rest;
  int split_channels;
  int rest_channels;
};

// Rows begin to end of `to`, from two rows each of the picture, whose row 2 * begin is row 0 of the
// view.
void analyse(const View& picture, int channels, const Map& to, int begin, int end);

// The same from the map of the level above.
void analyse(const Map& from, const Map& to, int begin, int end);

// Rows begin to end of `from` to two rows each of the map below, or of the picture, whose row
// 2 * begin is row 0 of the target.
void synthesise(const Map& from, const Map& to, int begin, int end);
void synthesise(const Map& from, int channels, const Target& picture, int begin, int end);

// Channels of a view into rows begin to end of a plane, and back.
void fill(const View& from, int channels, const Plane& to, int begin, int end);
void copy(const Plane& from, int channels, const Target& to, int begin, int end);

}  // namespace invdn
