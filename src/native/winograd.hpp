// Winograd's minimal filtering F(4x4, 3x3): 36 products for 16 results of a 3x3 convolution, which
// takes 144 directly.
//
//     Y = A^T [ (G g G^T) * (B^T d B) ] A        g: 3x3 kernel, d: 6x6 input, Y: 4x4 output
//
// The points of interpolation are 0, +-1/sqrt(2), +-sqrt(2) and infinity. With them the result in
// float32 is 2.5 times as exact as with the usual 0, +-1, +-2 and infinity, and the transforms cost
// no more: a product of two points of different size is +-1, so every sum shares its coefficients.
//
// References:
//   Winograd, Arithmetic Complexity of Computations, SIAM 1980.
//   Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016 (arXiv
//   1509.09308). Barabasz et al., Error Analysis and Improving the Accuracy of Winograd Convolution
//   for Deep Neural Networks, ACM TOMS 2020 (arXiv 1803.10986), on the choice of points.
#pragma once

#include "vector.hpp"

namespace invdn::INVDN_TARGET {
namespace {

constexpr float small_point = 0.70710678118654752F;  // 1 / sqrt(2)
constexpr float large_point = 1.41421356237309505F;  // sqrt(2)

// B^T d along one direction: six inputs to six points.
template <class V>
INVDN_INLINE void transform_input(const V (&d)[6], V (&points)[6]) {
  const V a = set1<V>(small_point), b = set1<V>(large_point);
  const V minus_a = set1<V>(-small_point), minus_b = set1<V>(-large_point);
  const V minus_two = set1<V>(-2.0F), minus_half = set1<V>(-0.5F), both = set1<V>(-2.5F);
  const V even_small = multiply_add(minus_two, d[2], d[4]);
  const V odd_small = multiply_add(minus_two, d[1], d[3]);
  const V even_large = multiply_add(minus_half, d[2], d[4]);
  const V odd_large = multiply_add(minus_half, d[1], d[3]);
  points[0] = multiply_add(both, d[2], d[0] + d[4]);
  points[1] = multiply_add(a, odd_small, even_small);
  points[2] = multiply_add(minus_a, odd_small, even_small);
  points[3] = multiply_add(b, odd_large, even_large);
  points[4] = multiply_add(minus_b, odd_large, even_large);
  points[5] = multiply_add(both, d[3], d[1] + d[5]);
}

// A^T m along one direction: six points to four outputs.
template <class V>
INVDN_INLINE void transform_output(const V (&m)[6], V (&y)[4]) {
  const V a = set1<V>(small_point), b = set1<V>(large_point);
  const V cube_a = set1<V>(small_point / 2), cube_b = set1<V>(large_point * 2);
  const V even_small = m[1] + m[2], odd_small = m[1] - m[2];
  const V even_large = m[3] + m[4], odd_large = m[3] - m[4];
  y[0] = m[0] + (even_small + even_large);
  y[1] = multiply_add(b, odd_large, a * odd_small);
  y[2] = multiply_add(set1<V>(2.0F), even_large, set1<V>(0.5F) * even_small);
  y[3] = multiply_add(cube_b, odd_large, multiply_add(cube_a, odd_small, m[5]));
}

}  // namespace
}  // namespace invdn::INVDN_TARGET
