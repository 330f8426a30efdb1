// Convolutions of a few tiles, from channels-last rows to channels-last rows.
//
// Compiled once for each instruction set (see vector.hpp). Nothing of the standard library may be
// used here: a template of it compiled for AVX-512 could be linked into code for any processor.
#include "rows.hpp"
#include "winograd.hpp"

namespace invdn::INVDN_TARGET {
namespace {

#if defined(INVDN_BF16)
constexpr bool multiplies_pairs = true;
#else
constexpr bool multiplies_pairs = false;
#endif

// How many units of inputs and kernels (see Weights) are pairs; these come first.
struct Units {
  int pairs, all;
};

// ---- inputs ------------------------------------------------------------------------------------

// `Number` is float, or Half: the tile's points are rounded.
template <class V, class Number>
INVDN_INLINE void input_tile(float* const (&rows)[input_edge], std::ptrdiff_t start,
                             std::size_t pixel, Number* to, std::size_t stride) {
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
template <class Number>
void transform_inputs(const Grid& grid, const Rows& source, int channels, int begin, int end,
                      Number* to, std::size_t depth, std::size_t stride) {
  for (int tile = begin; tile < end; ++tile, to += depth) {
    const int top = (grid.first_tile_row + tile / grid.tile_columns) * tile_edge + grid.shift - 1;
    const int left = tile % grid.tile_columns * tile_edge - 1;
    float* rows[input_edge];
    INVDN_UNROLL
    for (int i = 0; i < input_edge; ++i) rows[i] = source.row[top + i - source.first];
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

// sums += inputs[Rows][begin to end] * kernels[begin to end][N].
template <bool Pairs, class V, int Rows, int Vectors>
INVDN_INLINE void add_products(const float* inputs, std::size_t depth, const float* kernels,
                               std::size_t outputs, int begin, int end, V (&sums)[Rows][Vectors]) {
  kernels += static_cast<std::size_t>(begin) * outputs;
  for (int k = begin; k < end; ++k, kernels += outputs) {
    V row[Vectors];
    INVDN_UNROLL
    for (int n = 0; n < Vectors; ++n) load(kernels + n * V::width, row[n]);
    INVDN_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const V input = set1<V>(inputs[static_cast<std::size_t>(r) * depth + k]);
      INVDN_UNROLL
      for (int n = 0; n < Vectors; ++n) {
        sums[r][n] = multiply_add_units<Pairs>(input, row[n], sums[r][n]);
      }
    }
  }
}

// to[Rows][N] = inputs[Rows][units] * kernels[units][N], N = Vectors * V::width.
template <class V, int Rows, int Vectors>
INVDN_INLINE void multiply_rows(const float* inputs, std::size_t depth, const float* kernels,
                                std::size_t outputs, Units units, float* to, std::size_t columns) {
  V sums[Rows][Vectors];
  INVDN_UNROLL
  for (int r = 0; r < Rows; ++r) {
    INVDN_UNROLL
    for (int n = 0; n < Vectors; ++n) fill(0.0F, sums[r][n]);
  }
  if constexpr (multiplies_pairs) {
    add_products<true>(inputs, depth, kernels, outputs, 0, units.pairs, sums);
  }
  add_products<false>(inputs, depth, kernels, outputs, units.pairs, units.all, sums);
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
                   std::size_t outputs, Units units, float* to, std::size_t columns, int rows) {
  if constexpr (Rows > 0) {
    if (rows == Rows) {
      multiply_rows<V, Rows, Vectors>(inputs, depth, kernels, outputs, units, to, columns);
    } else {
      multiply_rest<V, Rows - 1, Vectors>(inputs, depth, kernels, outputs, units, to, columns,
                                          rows);
    }
  }
}

template <class V, int Vectors>
void multiply_strip(const float* inputs, std::size_t depth, const float* kernels,
                    std::size_t outputs, Units units, float* to, std::size_t columns, int tiles) {
  constexpr int rows = rows_at_once(Vectors);
  for (; tiles >= rows; tiles -= rows) {
    multiply_rows<V, rows, Vectors>(inputs, depth, kernels, outputs, units, to, columns);
    inputs += rows * depth;
    to += rows * columns;
  }
  multiply_rest<V, rows - 1, Vectors>(inputs, depth, kernels, outputs, units, to, columns, tiles);
}

// As many vectors of outputs as fit into what is left; returns how many outputs that were.
template <int Vectors>
INVDN_INLINE int multiply_widest(int left, const float* inputs, std::size_t depth,
                                 const float* kernels, std::size_t outputs, Units units, float* to,
                                 std::size_t columns, int tiles) {
  if constexpr (Vectors == 0) {
    constexpr int vectors = channel_unit / Narrow::width;
    multiply_strip<Narrow, vectors>(inputs, depth, kernels, outputs, units, to, columns, tiles);
    return channel_unit;
  } else {
    if (left < Vectors * Wide::width) {
      return multiply_widest<Vectors - 1>(left, inputs, depth, kernels, outputs, units, to, columns,
                                          tiles);
    }
    multiply_strip<Wide, Vectors>(inputs, depth, kernels, outputs, units, to, columns, tiles);
    return Vectors * Wide::width;
  }
}

// All 36 products of some tiles with `columns` outputs of the kernels, from output `first` on.
void multiply(const float* inputs, std::size_t depth, std::size_t input_stride,
              const Weights& weights, int first, int columns, float* to, int tiles) {
  const auto outputs = static_cast<std::size_t>(weights.outputs);
  const auto wide = static_cast<std::size_t>(columns);
  const Units units{weights.pairs(), weights.units()};
  for (int point = 0; point < winograd_points; ++point) {
    const float* kernels =
        weights.kernels + static_cast<std::size_t>(point * units.all) * outputs + first;
    for (int n = 0; n < columns;) {
      n += multiply_widest<most_vectors>(columns - n, inputs, depth, kernels + n, outputs, units,
                                         to + n, wide, tiles);
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

// Hands every result of a tile that lies in the picture to a row of `rows` (see tasks.hpp).
template <class V, class MakeRow>
INVDN_INLINE void output_channels(const Grid& grid, const float* from, std::size_t stride,
                                  const float* biases, int tile, int index, int c, MakeRow rows) {
  const int top = (grid.first_tile_row + tile / grid.tile_columns) * tile_edge + grid.shift;
  const int left = tile % grid.tile_columns * tile_edge;
  V results[4][4];
  output_tile(from, stride, results);
  const V bias = loaded<V>(biases + c);
  if (top >= 0 && top + 4 <= grid.height && left + 4 <= grid.width) {
    INVDN_UNROLL
    for (int i = 0; i < 4; ++i) {
      const auto row = rows(index, i * 4, top + i, left, c);
      INVDN_UNROLL
      for (int j = 0; j < 4; ++j) row(results[i][j] + bias, j);
    }
    return;
  }
  for (int i = top < 0 ? -top : 0; i < min(4, grid.height - top); ++i) {
    const auto row = rows(index, i * 4, top + i, left, c);
    for (int j = 0; j < min(4, grid.width - left); ++j) row(results[i][j] + bias, j);
  }
}

template <class MakeRow>
INVDN_INLINE void transform_outputs(const Grid& grid, const float* from, int columns,
                                    const float* biases, int begin, int end, MakeRow rows) {
  const std::size_t stride = product_stride(columns);
  for (int tile = begin; tile < end; ++tile, from += columns) {
    int c = 0;
    for (; c + Wide::width <= columns; c += Wide::width) {
      output_channels<Wide>(grid, from + c, stride, biases, tile, tile - begin, c, rows);
    }
    for (; c < columns; c += Narrow::width) {
      output_channels<Narrow>(grid, from + c, stride, biases, tile, tile - begin, c, rows);
    }
  }
}

// Inputs of the tiles begin to end, transformed: [36][tile][features, inputs].
class Block {
 public:
  static constexpr Halves halves = multiplies_pairs ? Halves::pairs : Halves::none;

  Block(const Grid& grid, int begin, int end, const Weights& weights, float* scratch)
      : grid_(grid),
        begin_(begin),
        end_(end),
        weights_(weights),
        depth_(static_cast<std::size_t>(depth_of(weights))),
        inputs_of_points_(scratch),
        products_(scratch + winograd_points * product_stride(depth_of(weights))) {}

  void read_features(const Rows& rows) {
    read(rows, weights_.features, 0, weights_.products.feature_pairs());
  }
  void read_input(const Rows& rows) {
    read(rows, padded(weights_.inputs), weights_.feature_units(), weights_.products.input_pairs());
  }

  template <class MakeRow>
  INVDN_INLINE_METHOD void convolve(const Weights& weights, MakeRow rows) {
    for (int first = 0; first < weights.outputs; first += widest_product) {
      const int columns = min(widest_product, weights.outputs - first);
      multiply(inputs_of_points_, depth_, product_stride(static_cast<int>(depth_)), weights, first,
               columns, products_, end_ - begin_);
      transform_outputs(grid_, products_, columns, weights.biases + first, begin_, end_,
                        [&](int index, int pixel, int y, int x, int c) {
                          return rows(index, pixel, y, x, first + c);
                        });
    }
  }

  struct FeatureRow {
    float* to;
    std::size_t pixel;

    template <class V>
    INVDN_INLINE_METHOD void store(int i, V value) const {
      INVDN_TARGET::store(to + static_cast<std::size_t>(i) * pixel, value);
    }
  };
  static INVDN_INLINE_METHOD FeatureRow feature_row(const Rows& rows, int y, int x, int c) {
    return {place(rows, y, x, c), rows.pixel};
  }

 private:
  // Transforms channels into the units from `first` on.
  void read(const Rows& rows, int channels, int first, bool pairs) {
    float* const to = inputs_of_points_ + first;
    const std::size_t stride = product_stride(static_cast<int>(depth_));
#if defined(INVDN_BF16)
    if (pairs) {
      transform_inputs(grid_, rows, channels, begin_, end_, reinterpret_cast<Half*>(to),
                       2 * depth_, 2 * stride);
      return;
    }
#endif
    (void)pairs;
    transform_inputs(grid_, rows, channels, begin_, end_, to, depth_, stride);
  }

  const Grid& grid_;
  int begin_, end_;
  const Weights& weights_;  // of a convolution of these sizes
  std::size_t depth_;
  float* inputs_of_points_;
  float* products_;
};

}  // namespace
}  // namespace invdn::INVDN_TARGET

#include "tasks.hpp"
