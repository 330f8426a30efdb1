// The convolutions of a subnet and what their results are for, over any way to multiply.
//
// Included at the end of a file that defines `Block`, the inputs of some tiles of the grid:
//
//     Block(grid, begin, end, weights, scratch)   weights: for their sizes and precision
//     read_features(rows)                         the wide map before the last convolutions
//     read_input(rows)                            what the subnet reads itself
//     convolve(weights, rows)                     rows(index of the tile, pixel of the tile, y, x,
//                                                 channel) gives what takes value + bias and the
//                                                 number of a pixel right of that one; 16 times the
//                                                 index and the pixel are one place in the block,
//                                                 and pixels to the right follow it
//     feature_row(rows, y, x, channel)            static: stores into a wide map likewise
#pragma once

#include "rows.hpp"

namespace invdn::INVDN_TARGET {
namespace {

// e^x for |x| <= 87: 2^n times the Taylor polynomial of e^r, |r| <= ln(2) / 2, of degree 7
// (relative error below 1e-8); ln 2 in two parts, so that n ln 2 is exact.
template <class V>
INVDN_INLINE V exponential(V x) {
  x = min(max(x, set1<V>(-87.0F)), set1<V>(87.0F));
  const V n = nearest(x * set1<V>(1.44269504F));
  V r = multiply_add(n, set1<V>(-0.693359375F), x);
  r = multiply_add(n, set1<V>(2.12194440e-4F), r);
  V y = set1<V>(1.0F / 5040);
  y = multiply_add(y, r, set1<V>(1.0F / 720));
  y = multiply_add(y, r, set1<V>(1.0F / 120));
  y = multiply_add(y, r, set1<V>(1.0F / 24));
  y = multiply_add(y, r, set1<V>(1.0F / 6));
  y = multiply_add(y, r, set1<V>(0.5F));
  y = multiply_add(y, r, set1<V>(1.0F));
  y = multiply_add(y, r, set1<V>(1.0F));
  return times_power_of_two(y, n);
}

// 2 sigmoid(x) - 1
template <class V>
INVDN_INLINE V log_scale(V x) {
  const V one = set1<V>(1.0F);
  return one - set1<V>(2.0F) / (exponential(x) + one);
}

void features(const Features& task, int begin, int end, float* scratch) {
  Block block(task.grid, begin, end, task.weights, scratch);
  if (task.weights.features > 0) block.read_features(task.features);
  if (task.weights.inputs > 0) block.read_input(task.input);
  block.convolve(task.weights, [&](int, int, int y, int x, int c) {
    const auto target = Block::feature_row(task.target, y, x, c);
    return [target](auto value, int i) {
      using V = decltype(value);
      target.store(i, max(value, value * set1<V>(leaky_slope)));
    };
  });
}

void additive(const Additive& task, int begin, int end, float* scratch) {
  Block block(task.grid, begin, end, task.weights, scratch);
  block.read_features(task.features);
  block.read_input(task.input);
  block.convolve(task.weights, [&](int, int, int y, int x, int c) {
    float* const to = place(task.target, y, x, c);
    const std::size_t pixel = task.target.pixel;
    const float sign = task.sign;
    return [to, pixel, sign](auto value, int i) {
      using V = decltype(value);
      float* const here = to + static_cast<std::size_t>(i) * pixel;
      store(here, multiply_add(set1<V>(sign), value, loaded<V>(here)));
    };
  });
}

void affine(const Affine& task, int begin, int end, float* scratch) {
  Block block(task.grid, begin, end, task.weights_h, scratch);
  const auto outputs = static_cast<std::size_t>(task.weights_h.outputs);
  float* scales = scratch + products_floats(task.weights_h);  // [tile][16][outputs]
  const float direction = task.use == Use::forward ? 1.0F : -1.0F;
  block.read_input(task.input);
  block.read_features(task.features_h);
  block.convolve(task.weights_h, [&](int index, int pixel, int, int, int c) {
    float* const to = scales + static_cast<std::size_t>(index * 16 + pixel) * outputs + c;
    return [to, outputs, direction](auto value, int i) {
      using V = decltype(value);
      store(to + static_cast<std::size_t>(i) * outputs,
            exponential(set1<V>(direction) * log_scale(value)));
    };
  });
  block.read_features(task.features_g);
  block.convolve(task.weights_g, [&](int index, int pixel, int y, int x, int c) {
    const float* const factors =
        scales + static_cast<std::size_t>(index * 16 + pixel) * outputs + c;
    const Use use = task.use;
    float* const to = place(use == Use::precompute ? task.shift : task.target, y, x, c);
    float* const to_scale = use == Use::precompute ? place(task.scale, y, x, c) : nullptr;
    const std::size_t step = use == Use::precompute ? task.shift.pixel : task.target.pixel;
    return [=](auto shift, int i) {
      using V = decltype(shift);
      const auto column = static_cast<std::size_t>(i);
      const V scale = loaded<V>(factors + column * outputs);
      float* const here = to + column * step;
      if (use == Use::precompute) {
        store(here, shift);
        store(to_scale + column * step, scale);
        return;
      }
      const V value = loaded<V>(here);
      store(here,
            use == Use::forward ? multiply_add(value, scale, shift) : (value - shift) * scale);
    };
  });
}

void uncouple(float* values, const float* shift, const float* scale, std::size_t count) {
  for (std::size_t i = 0; i < count; i += Narrow::width) {
    store(values + i,
          (loaded<Narrow>(values + i) - loaded<Narrow>(shift + i)) * loaded<Narrow>(scale + i));
  }
}

// As many independent multiply-adds as the registers hold, so that only their rate counts.
double multiply_adds(long rounds) {
  constexpr int chains = most_vectors == 4 ? 16 : 12;
  Wide sums[chains];
  INVDN_UNROLL
  for (int i = 0; i < chains; ++i) fill(static_cast<float>(i), sums[i]);
  const Wide factor = set1<Wide>(0.5F), summand = set1<Wide>(1.0F);
  for (long round = 0; round < rounds; ++round) {
    INVDN_UNROLL
    for (int i = 0; i < chains; ++i) sums[i] = multiply_add(sums[i], factor, summand);
  }
  Wide total = sums[0];
  INVDN_UNROLL
  for (int i = 1; i < chains; ++i) total = total + sums[i];
  float lanes[Wide::width];
  store(lanes, total);
  volatile float kept = lanes[0];  // the work must not be left out
  (void)kept;
  return 2.0 * static_cast<double>(rounds) * chains * Wide::width;
}

}  // namespace

#define INVDN_TEXT_OF(name) #name
#define INVDN_TEXT(name) INVDN_TEXT_OF(name)

extern const Kernels kernels;
const Kernels kernels = {
    INVDN_TEXT(INVDN_TARGET), Block::halves, features, additive, affine, uncouple, multiply_adds};

}  // namespace invdn::INVDN_TARGET
