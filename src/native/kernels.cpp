// Convolutions of a few tiles, from channels-last rows to channels-last rows.
//
// Compiled once for each instruction set (see vector.hpp). Nothing of the standard library may be
// used here: a template of it compiled for AVX-512 could be linked into code for any processor.
#include "kernels.hpp"

#include "winograd.hpp"

namespace invdn::INVDN_TARGET {
namespace {

INVDN_INLINE int lesser(int a, int b) { return a < b ? a : b; }

// e^x for |x| <= 87: 2^n times the Taylor polynomial of e^r, |r| <= ln(2) / 2, of degree 7
// (relative error below 1e-8); ln 2 in two parts, so that n ln 2 is exact.
template <class V>
INVDN_INLINE V exponential(V x) {
  x = smallest(largest(x, filled<V>(-87.0F)), filled<V>(87.0F));
  const V n = nearest(x * filled<V>(1.44269504F));
  V r = multiply_add(n, filled<V>(-0.693359375F), x);
  r = multiply_add(n, filled<V>(2.12194440e-4F), r);
  V y = filled<V>(1.0F / 5040);
  y = multiply_add(y, r, filled<V>(1.0F / 720));
  y = multiply_add(y, r, filled<V>(1.0F / 120));
  y = multiply_add(y, r, filled<V>(1.0F / 24));
  y = multiply_add(y, r, filled<V>(1.0F / 6));
  y = multiply_add(y, r, filled<V>(0.5F));
  y = multiply_add(y, r, filled<V>(1.0F));
  y = multiply_add(y, r, filled<V>(1.0F));
  return times_power_of_two(y, n);
}

// 2 sigmoid(x) - 1
template <class V>
INVDN_INLINE V log_scale(V x) {
  const V one = filled<V>(1.0F);
  return one - filled<V>(2.0F) / (exponential(x) + one);
}

// ---- inputs ------------------------------------------------------------------------------------

template <class V>
INVDN_INLINE void input_tile(float* const (&rows)[window_edge], std::ptrdiff_t start,
                             std::size_t pixel, float* to, std::size_t stride) {
  V half[6][6];
  INVDN_UNROLL
  for (int j = 0; j < 6; ++j) {
    const std::ptrdiff_t place = start + j * static_cast<std::ptrdiff_t>(pixel);
    V column[6], transformed[6];
    INVDN_UNROLL
    for (int i = 0; i < 6; ++i) load(rows[i] + place, column[i]);
    transform_input(column, transformed);
    INVDN_UNROLL
    for (int i = 0; i < 6; ++i) half[i][j] = transformed[i];
  }
  INVDN_UNROLL
  for (int i = 0; i < 6; ++i) {
    V transformed[6];
    transform_input(half[i], transformed);
    INVDN_UNROLL
    for (int j = 0; j < 6; ++j) {
      store(to + static_cast<std::size_t>(i * 6 + j) * stride, transformed[j]);
    }
  }
}

// Tiles begin to end of `channels` channels into `to`, [36][tile][depth] with `stride` from point
// to point.
void transform_inputs(const Grid& grid, const Rows& source, int channels, int begin, int end,
                      float* to, std::size_t depth, std::size_t stride) {
  for (int tile = begin; tile < end; ++tile, to += depth) {
    const int top = (grid.first_tile_row + tile / grid.tile_columns) * tile_edge + grid.shift - 1;
    const int left = tile % grid.tile_columns * tile_edge - 1;
    float* rows[window_edge];
    INVDN_UNROLL
    for (int i = 0; i < window_edge; ++i) rows[i] = source.row[top + i - source.first];
    const std::ptrdiff_t start = left * static_cast<std::ptrdiff_t>(source.pixel) + source.channel;
    int c = 0;
    for (; c + Wide::width <= channels; c += Wide::width) {
      input_tile<Wide>(rows, start + c, source.pixel, to + c, stride);
    }
    for (; c < channels; c += Narrow::width) {
      input_tile<Narrow>(rows, start + c, source.pixel, to + c, stride);
    }
  }
}

// ---- products ----------------------------------------------------------------------------------

// to[Rows][N] = inputs[Rows][count] * kernels[count][N], N = Vectors * V::width.
template <class V, int Rows, int Vectors>
INVDN_INLINE void multiply_rows(const float* inputs, std::size_t depth, const float* kernels,
                                std::size_t outputs, int count, float* to, std::size_t columns) {
  V sums[Rows][Vectors];
  INVDN_UNROLL
  for (int r = 0; r < Rows; ++r) {
    INVDN_UNROLL
    for (int n = 0; n < Vectors; ++n) fill(0.0F, sums[r][n]);
  }
  for (int k = 0; k < count; ++k, kernels += outputs) {
    V row[Vectors];
    INVDN_UNROLL
    for (int n = 0; n < Vectors; ++n) load(kernels + n * V::width, row[n]);
    INVDN_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const V input = filled<V>(inputs[static_cast<std::size_t>(r) * depth + k]);
      INVDN_UNROLL
      for (int n = 0; n < Vectors; ++n) {
        sums[r][n] = multiply_add(input, row[n], sums[r][n]);
      }
    }
  }
  INVDN_UNROLL
  for (int r = 0; r < Rows; ++r) {
    INVDN_UNROLL
    for (int n = 0; n < Vectors; ++n) {
      store(to + static_cast<std::size_t>(r) * columns + n * V::width, sums[r][n]);
    }
  }
}

template <class V, int Rows, int Vectors>
void multiply_rest(const float* inputs, std::size_t depth, const float* kernels,
                   std::size_t outputs, int count, float* to, std::size_t columns, int rows) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      multiply_rows<V, Rows, Vectors>(inputs, depth, kernels, outputs, count, to, columns);
    } else {
      multiply_rest<V, Rows - 1, Vectors>(inputs, depth, kernels, outputs, count, to, columns,
                                          rows);
    }
  }
}

template <class V, int Vectors>
void multiply_strip(const float* inputs, std::size_t depth, const float* kernels,
                    std::size_t outputs, int count, float* to, std::size_t columns, int tiles) {
  constexpr int rows = rows_at_once(Vectors);
  for (; tiles >= rows; tiles -= rows) {
    multiply_rows<V, rows, Vectors>(inputs, depth, kernels, outputs, count, to, columns);
    inputs += rows * depth;
    to += rows * columns;
  }
  multiply_rest<V, rows - 1, Vectors>(inputs, depth, kernels, outputs, count, to, columns, tiles);
}

// As many vectors of outputs as fit into what is left; returns how many outputs that were.
template <int Vectors>
INVDN_INLINE int multiply_widest(int left, const float* inputs, std::size_t depth,
                                 const float* kernels, std::size_t outputs, int count, float* to,
                                 std::size_t columns, int tiles) {
  if constexpr (Vectors == 0) {
    constexpr int vectors = channel_unit / Narrow::width;
    multiply_strip<Narrow, vectors>(inputs, depth, kernels, outputs, count, to, columns, tiles);
    return channel_unit;
  } else {
    if (left < Vectors * Wide::width) {
      return multiply_widest<Vectors - 1>(left, inputs, depth, kernels, outputs, count, to, columns,
                                          tiles);
    }
    multiply_strip<Wide, Vectors>(inputs, depth, kernels, outputs, count, to, columns, tiles);
    return Vectors * Wide::width;
  }
}

// All 36 products of some tiles with `columns` outputs of the kernels, from output `first` on.
void multiply(const float* inputs, std::size_t depth, std::size_t input_stride,
              const Weights& weights, int first, int columns, float* to, int tiles) {
  const auto outputs = static_cast<std::size_t>(weights.outputs);
  const auto wide = static_cast<std::size_t>(columns);
  for (int point = 0; point < points; ++point) {
    const float* kernels =
        weights.kernels + static_cast<std::size_t>(point) * weights.inputs * outputs + first;
    for (int n = 0; n < columns;) {
      n += multiply_widest<most_vectors>(columns - n, inputs, depth, kernels + n, outputs,
                                         weights.inputs, to + n, wide, tiles);
    }
    inputs += input_stride;
    to += product_stride(columns);
  }
}

// ---- outputs -----------------------------------------------------------------------------------

template <class V>
INVDN_INLINE void output_tile(const float* from, std::size_t stride, V (&results)[4][4]) {
  V half[4][6];
  INVDN_UNROLL
  for (int j = 0; j < 6; ++j) {
    V column[6], transformed[4];
    INVDN_UNROLL
    for (int i = 0; i < 6; ++i) {
      load(from + static_cast<std::size_t>(i * 6 + j) * stride, column[i]);
    }
    transform_output(column, transformed);
    INVDN_UNROLL
    for (int i = 0; i < 4; ++i) half[i][j] = transformed[i];
  }
  INVDN_UNROLL
  for (int i = 0; i < 4; ++i) transform_output(half[i], results[i]);
}

// Hands every result of a tile that lies in the picture to `take(value, tile, i, j, y, x,
// channel)`.
template <class V, class Take>
INVDN_INLINE void output_channels(const Grid& grid, const float* from, std::size_t stride,
                                  const float* biases, int tile, int index, int c, Take take) {
  const int top = (grid.first_tile_row + tile / grid.tile_columns) * tile_edge + grid.shift;
  const int left = tile % grid.tile_columns * tile_edge;
  V results[4][4];
  output_tile(from, stride, results);
  const V bias = loaded<V>(biases + c);
  if (top >= 0 && top + 4 <= grid.height && left + 4 <= grid.width) {
    INVDN_UNROLL
    for (int i = 0; i < 4; ++i) {
      INVDN_UNROLL
      for (int j = 0; j < 4; ++j) {
        take(results[i][j] + bias, index, i * 4 + j, top + i, left + j, c);
      }
    }
    return;
  }
  for (int i = top < 0 ? -top : 0; i < lesser(4, grid.height - top); ++i) {
    for (int j = 0; j < lesser(4, grid.width - left); ++j) {
      take(results[i][j] + bias, index, i * 4 + j, top + i, left + j, c);
    }
  }
}

template <class Take>
INVDN_INLINE void transform_outputs(const Grid& grid, const float* from, int columns,
                                    const float* biases, int begin, int end, Take take) {
  const std::size_t stride = product_stride(columns);
  for (int tile = begin; tile < end; ++tile, from += columns) {
    int c = 0;
    for (; c + Wide::width <= columns; c += Wide::width) {
      output_channels<Wide>(grid, from + c, stride, biases, tile, tile - begin, c, take);
    }
    for (; c < columns; c += Narrow::width) {
      output_channels<Narrow>(grid, from + c, stride, biases, tile, tile - begin, c, take);
    }
  }
}

INVDN_INLINE float* place(const Rows& rows, int y, int x, int channel) {
  return rows.row[y - rows.first] + static_cast<std::size_t>(x) * rows.pixel +
         static_cast<std::size_t>(rows.channel + channel);
}

// ---- convolutions ------------------------------------------------------------------------------

void features(const Features& task, int begin, int end, float* scratch) {
  const auto depth = static_cast<std::size_t>(task.channels);
  const std::size_t stride = product_stride(task.channels);
  float* products = scratch + points * stride;
  transform_inputs(task.grid, task.source, task.channels, begin, end, scratch, depth, stride);
  for (int first = 0; first < task.weights.outputs; first += widest_product) {
    const int columns = lesser(widest_product, task.weights.outputs - first);
    multiply(scratch, depth, stride, task.weights, first, columns, products, end - begin);
    transform_outputs(task.grid, products, columns, task.weights.biases + first, begin, end,
                      [&](auto value, int, int, int y, int x, int c) {
                        using V = decltype(value);
                        store(place(task.target, y, x, first + c),
                              largest(value, value * filled<V>(leaky_slope)));
                      });
  }
}

void additive(const Additive& task, int begin, int end, float* scratch) {
  const int channels = depth_of(task.feature_channels + task.input_channels);
  const auto depth = static_cast<std::size_t>(channels);
  const std::size_t stride = product_stride(channels);
  float* products = scratch + points * stride;
  transform_inputs(task.grid, task.features, task.feature_channels, begin, end, scratch, depth,
                   stride);
  transform_inputs(task.grid, task.input, task.input_channels, begin, end,
                   scratch + task.feature_channels, depth, stride);
  for (int first = 0; first < task.weights.outputs; first += widest_product) {
    const int columns = lesser(widest_product, task.weights.outputs - first);
    multiply(scratch, depth, stride, task.weights, first, columns, products, end - begin);
    transform_outputs(task.grid, products, columns, task.weights.biases + first, begin, end,
                      [&](auto value, int, int, int y, int x, int c) {
                        using V = decltype(value);
                        float* to = place(task.target, y, x, first + c);
                        store(to, multiply_add(filled<V>(task.sign), value, loaded<V>(to)));
                      });
  }
}

void affine(const Affine& task, int begin, int end, float* scratch) {
  const int channels = depth_of(task.feature_channels + task.input_channels);
  const auto depth = static_cast<std::size_t>(channels);
  const std::size_t stride = product_stride(channels);
  const int outputs = task.weights_h.outputs;
  float* products = scratch + points * stride;
  float* scales = products + points * product_stride(widest_product);  // [tile][16][outputs]
  const float direction = task.use == Use::couple ? 1.0F : -1.0F;
  transform_inputs(task.grid, task.features_h, task.feature_channels, begin, end, scratch, depth,
                   stride);
  transform_inputs(task.grid, task.input, task.input_channels, begin, end,
                   scratch + task.feature_channels, depth, stride);
  for (int first = 0; first < outputs; first += widest_product) {
    const int columns = lesser(widest_product, outputs - first);
    multiply(scratch, depth, stride, task.weights_h, first, columns, products, end - begin);
    transform_outputs(
        task.grid, products, columns, task.weights_h.biases + first, begin, end,
        [&](auto value, int index, int pixel, int, int, int c) {
          using V = decltype(value);
          store(scales + static_cast<std::size_t>(index * 16 + pixel) * outputs + first + c,
                exponential(filled<V>(direction) * log_scale(value)));
        });
  }
  transform_inputs(task.grid, task.features_g, task.feature_channels, begin, end, scratch, depth,
                   stride);
  for (int first = 0; first < outputs; first += widest_product) {
    const int columns = lesser(widest_product, outputs - first);
    multiply(scratch, depth, stride, task.weights_g, first, columns, products, end - begin);
    transform_outputs(
        task.grid, products, columns, task.weights_g.biases + first, begin, end,
        [&](auto shift, int index, int pixel, int y, int x, int c) {
          using V = decltype(shift);
          const V scale = loaded<V>(
              scales + static_cast<std::size_t>(index * 16 + pixel) * outputs + first + c);
          if (task.use == Use::share) {
            store(place(task.shift, y, x, first + c), shift);
            store(place(task.scale, y, x, first + c), scale);
            return;
          }
          float* to = place(task.target, y, x, first + c);
          const V value = loaded<V>(to);
          store(to, task.use == Use::couple ? multiply_add(value, scale, shift)
                                            : (value - shift) * scale);
        });
  }
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
  const Wide factor = filled<Wide>(0.5F), summand = filled<Wide>(1.0F);
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
    INVDN_TEXT(INVDN_TARGET), features, additive, affine, uncouple, multiply_adds};

}  // namespace invdn::INVDN_TARGET
