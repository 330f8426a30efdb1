// Direct convolutions by Intel's Advanced Matrix Extensions: products of bfloat16 tiles.
//
// A tile product takes 16 pixels by 32 inputs by 16 outputs. Here it is so fast (16 times as many
// multiply-adds a cycle as AVX-512) that Winograd's transforms would cost more than they save. The
// pixels of a row of a channels-last map are the rows of a tile as they lie in memory; pixels
// beyond the block are multiplied too, and dropped.
//
// An exact factor is the sum of two bfloat16, a = a' + a" (Henry, Tang and Heinecke,
// Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations, ARITH
// 2019, arXiv 1904.06376): a b = a' b' + a' b" + a" b' but for 2^-16 of it.
//
// A pixel's sums run over the chunks of bf16_layout.hpp in one order, so its bits depend on nothing
// else.
#include "bf16_layout.hpp"
#include "rows.hpp"

namespace invdn::INVDN_TARGET {
namespace {

// A value as bfloat16, and what its rounding left where `low` is a place for it.
template <class V>
INVDN_INLINE void store_terms(Half* to, Half* low, V value) {
  const auto high = rounded(value);
  store(to, high);
  if (low != nullptr) store(low, rounded(value - widened(high)));
}

// Eight tiles of 16 rows of 64 bytes while it lives.
class Tiles {
 public:
  Tiles() {
    struct alignas(64) {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } shape;
    _tile_loadconfig(&shape);
  }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// One of the two inputs of a convolution: six rows of pixels, from the column before the first on.
struct Source {
  const Half* rows[input_edge];
  std::size_t pixel;     // bfloat16 from one pixel to the next
  std::ptrdiff_t low;    // to what the rounding left; 0: that is not multiplied
  bool second;           // whether a second tile of weights is multiplied
  int planes;            // of a wide map
  std::ptrdiff_t plane;  // from one to the next
  int chunks;            // in a row of the kernel
};

// Adds the products of four rows of 16 pixels by 16 outputs to the tiles 0 to 3. The four sums take
// turns, so that none waits for itself.
INVDN_INLINE void multiply(const Half* const* rows, std::ptrdiff_t offset, std::size_t step,
                           const Half* weights) {
  _tile_loadd(7, weights, 64);
  _tile_loadd(4, rows[0] + offset, step);
  _tile_dpbf16ps(0, 4, 7);
  _tile_loadd(5, rows[1] + offset, step);
  _tile_dpbf16ps(1, 5, 7);
  _tile_loadd(6, rows[2] + offset, step);
  _tile_dpbf16ps(2, 6, 7);
  _tile_loadd(4, rows[3] + offset, step);
  _tile_dpbf16ps(3, 4, 7);
}

// All chunks of a source. `meanwhile()` is called for each: the vector units are idle while tiles
// are multiplied.
template <class Meanwhile>
INVDN_INLINE void multiply(const Source& source, const Half*& weights, Meanwhile meanwhile) {
  const std::size_t step = source.pixel * sizeof(Half);
  for (int plane = 0; plane < source.planes; ++plane) {
    for (int row = 0; row < 3; ++row) {
      std::ptrdiff_t offset = plane * source.plane;
      for (int chunk = 0; chunk < source.chunks; ++chunk, offset += chunk_depth) {
        const Half* const* rows = source.rows + row;
        multiply(rows, offset, step, weights);
        meanwhile();
        if (source.low != 0) multiply(rows, offset + source.low, step, weights);
        weights += weights_tile;
        if (source.second) {
          multiply(rows, offset, step, weights);
          weights += weights_tile;
        }
      }
    }
  }
}

// Rounds the channels of some pixels, [pixel][inputs], or with what rounding left, [pixel][rounded,
// left, rounded]. A vector may write beyond a part: what comes next writes over it.
template <class V, int Vectors, bool Exact>
INVDN_INLINE void round_pixels(const float* from, std::size_t pixel, int pixels, std::size_t inputs,
                               Half* to) {
  for (int x = 0; x < pixels; ++x, from += pixel, to += (Exact ? 3 : 1) * inputs) {
    V values[Vectors];
    decltype(rounded(values[0])) high[Vectors];
    INVDN_UNROLL
    for (int i = 0; i < Vectors; ++i) {
      load(from + i * V::width, values[i]);
      high[i] = rounded(values[i]);
    }
    INVDN_UNROLL
    for (int i = 0; i < Vectors; ++i) store(to + i * V::width, high[i]);
    if constexpr (Exact) {
      INVDN_UNROLL
      for (int i = 0; i < Vectors; ++i) {
        store(to + inputs + i * V::width, rounded(values[i] - widened(high[i])));
      }
      INVDN_UNROLL
      for (int i = 0; i < Vectors; ++i) store(to + 2 * inputs + i * V::width, high[i]);
    }
  }
}

// The same for any number of channels.
INVDN_INLINE void round_pixels(const float* from, std::size_t pixel, int pixels, int channels,
                               std::size_t inputs, bool exact, Half* to) {
  const std::size_t parts = exact ? 3 : 1;
  for (int x = 0; x < pixels; ++x, from += pixel) {
    for (std::size_t part = 0; part < parts; ++part, to += inputs) {
      for (int i = 0; i < channels; i += Vector8::width) {
        const auto value = loaded<Vector8>(from + i);
        const auto high = rounded(value);
        store(to + i, part == 1 ? rounded(value - widened(high)) : high);
      }
    }
  }
}

template <bool Exact>
INVDN_INLINE void round_row(const float* from, std::size_t pixel, int pixels, std::size_t inputs,
                            Half* to) {
  const int channels = padded(static_cast<int>(inputs));
  if (channels == 8) {
    round_pixels<Vector8, 1, Exact>(from, pixel, pixels, inputs, to);
  } else if (channels == 16) {
    round_pixels<Vector16, 1, Exact>(from, pixel, pixels, inputs, to);
  } else if (channels == 48) {
    round_pixels<Vector16, 3, Exact>(from, pixel, pixels, inputs, to);
  } else {
    round_pixels(from, pixel, pixels, channels, inputs, Exact, to);
  }
}

// The part of a block that lies in one row of tiles.
struct Strip {
  int first_tile;  // in the block
  int top, left;   // in the picture
  int pixels;      // of each of its four rows
};

class Block {
 public:
  static constexpr Halves halves = Halves::tiles;

  Block(const Grid& grid, int begin, int end, const Weights& weights, float* scratch)
      : grid_(grid),
        begin_(begin),
        end_(end),
        inputs_(static_cast<std::size_t>(weights.inputs)),
        pixel_(inputs_ * static_cast<std::size_t>(weights.products.inputs)),
        products_(scratch),
        input_(reinterpret_cast<Half*>(scratch + 2 * tile_pixels * panel_width)) {}

  void read_features(const Rows& rows) { features_ = &rows; }

  // Rounds it to bfloat16, [strip][six rows][pixels][numbers]; what padding channels leave behind
  // the last pixel is zeros or written over.
  void read_input(const Rows& rows) {
    Half* to = input_;
    for (Strip strip = first_strip(); strip.pixels > 0; strip = next_strip(strip)) {
      const int pixels = strip.pixels + 2;
      for (int y = strip.top - 1; y < strip.top - 1 + input_edge; ++y) {
        const float* from = place(rows, y, strip.left - 1, 0);
        if (pixel_ == inputs_) {
          round_row<false>(from, rows.pixel, pixels, inputs_, to);
        } else {
          round_row<true>(from, rows.pixel, pixels, inputs_, to);
        }
        to += static_cast<std::size_t>(pixels) * pixel_;
      }
      for (int i = 0; i < chunk_depth; i += 16) {
        store(to + i, rounded(set1<Vector16>(0.0F)));
      }
      to += chunk_depth;
    }
  }

  template <class MakeRow>
  INVDN_INLINE_METHOD void convolve(const Weights& weights, MakeRow rows) {
    const Tiles tiles;
    const int chunks = feature_chunks(weights.features, weights.products) +
                       input_chunks(weights.inputs, weights.products);
    const int at_once = (pieces + chunks - 1) / chunks;
    Pending pending{};
    float* products = products_;
    float* other = products_ + tile_pixels * panel_width;
    const Half* input = input_;
    for (Strip strip = first_strip(); strip.pixels > 0; strip = next_strip(strip)) {
      for (int x = 0; x < strip.pixels; x += 16) {
        const Source sources[] = {features_source(strip, x, weights),
                                  input_source(strip, x, weights, input)};
        const Half* kernels = weights.halves;
        for (int first = 0; first < weights.outputs; first += panel_width) {
          _tile_zero(0);
          _tile_zero(1);
          _tile_zero(2);
          _tile_zero(3);
          for (const Source& source : sources) {
            multiply(source, kernels, [&] { hand_out(pending, at_once, weights.biases, rows); });
          }
          _tile_stored(0, products, 64);
          _tile_stored(1, products + 16 * panel_width, 64);
          _tile_stored(2, products + 32 * panel_width, 64);
          _tile_stored(3, products + 48 * panel_width, 64);
          pending = {products, strip, x, first, min(panel_width, weights.outputs - first), 0};
          float* const free = other;
          other = products;
          products = free;
        }
      }
      input += strip_size(strip);
    }
    hand_out(pending, pieces, weights.biases, rows);
  }

  struct FeatureRow {
    Half* to;
    std::size_t pixel;
    std::size_t low;  // 0: what rounding leaves is not kept

    template <class V>
    INVDN_INLINE_METHOD void store(int i, V value) const {
      Half* const here = to + static_cast<std::size_t>(i) * pixel;
      store_terms(here, low == 0 ? nullptr : here + low, value);
    }
  };
  static INVDN_INLINE_METHOD FeatureRow feature_row(const Rows& rows, int y, int x, int c) {
    return {feature(rows, y, x, c), 2 * rows.pixel, 2 * rows.low};
  }

 private:
  Strip strip_at(int tile) const {
    const int index = begin_ + tile, column = index % grid_.tile_columns;
    const int tiles =
        tile >= end_ - begin_ ? 0 : min(end_ - begin_ - tile, grid_.tile_columns - column);
    return {tile, (grid_.first_tile_row + index / grid_.tile_columns) * tile_edge + grid_.shift,
            column * tile_edge, tiles * tile_edge};
  }
  Strip first_strip() const { return strip_at(0); }
  Strip next_strip(const Strip& strip) const {
    return strip_at(strip.first_tile + strip.pixels / tile_edge);
  }
  std::size_t strip_size(const Strip& strip) const {
    return static_cast<std::size_t>(input_edge * (strip.pixels + 2)) * pixel_ + chunk_depth;
  }
  // The results of one product, handed out while the next is computed.
  struct Pending {
    const float* from;
    Strip strip;
    int x;        // in the strip
    int first;    // output
    int outputs;  // 0: there is nothing to hand out
    int next;     // piece
  };
  static constexpr int piece_pixels = 16;  // a row of a product, handed out at once
  static constexpr int pieces = tile_pixels / piece_pixels;

  // Hands out the next results, those that lie in the picture.
  template <class MakeRow>
  INVDN_INLINE_METHOD void hand_out(Pending& pending, int count, const float* biases,
                                    MakeRow rows) const {
    if (pending.outputs == panel_width) {
      hand_out_vectors<Vector16>(pending, count, biases, rows);
    } else if (pending.outputs > 0) {
      hand_out_vectors<Vector8>(pending, count, biases, rows);
    }
  }

  template <class V, class MakeRow>
  INVDN_INLINE_METHOD void hand_out_vectors(Pending& pending, int count, const float* biases,
                                            MakeRow rows) const {
    const V bias = loaded<V>(biases + pending.first);
    const Strip& strip = pending.strip;
    const int end = min(pending.next + count, pieces);
    for (int i = pending.next; i < end; ++i) {
      const int row = i, column = pending.x;
      const int y = strip.top + row, x = strip.left + column;
      const int pixels = min(strip.pixels - column, grid_.width - x);
      if (y < 0 || y >= grid_.height || pixels <= 0) continue;
      // Tiles of a strip lie beside each other, so its pixels are counted in rows.
      const auto results =
          rows(strip.first_tile, row * strip.pixels + column, y, x, pending.first);
      const float* from = pending.from + i * piece_pixels * panel_width;
      if (pixels >= piece_pixels) {
        INVDN_UNROLL
        for (int j = 0; j < piece_pixels; ++j) {
          results(loaded<V>(from + j * panel_width) + bias, j);
        }
      } else {
        for (int j = 0; j < pixels; ++j) results(loaded<V>(from + j * panel_width) + bias, j);
      }
    }
    pending.next = end;
  }

  Source features_source(const Strip& strip, int x, const Weights& weights) const {
    if (weights.features == 0) return {};
    const Products& products = weights.products;
    const bool exact = products.features == 3;
    Source source{{},
                  2 * features_->pixel,
                  exact && !products.paired ? static_cast<std::ptrdiff_t>(2 * features_->low) : 0,
                  exact,
                  chunks_of(weights.features, products.group()),
                  static_cast<std::ptrdiff_t>(2 * features_->plane),
                  3};
    for (int row = 0; row < input_edge; ++row) {
      source.rows[row] = feature(*features_, strip.top + row - 1, strip.left + x - 1, 0);
    }
    return source;
  }

  Source input_source(const Strip& strip, int x, const Weights& weights, const Half* input) const {
    if (weights.inputs == 0) return {};
    Source source{{}, pixel_, 0, false, 1, 0, input_chunks(weights.inputs, weights.products) / 3};
    for (int row = 0; row < input_edge; ++row) {
      source.rows[row] = input + static_cast<std::size_t>(row * (strip.pixels + 2) + x) * pixel_;
    }
    return source;
  }

  static INVDN_INLINE_METHOD Half* feature(const Rows& rows, int y, int x, int c) {
    c += rows.channel;
    float* plane =
        rows.row[y - rows.first] + c / rows.group * static_cast<std::ptrdiff_t>(rows.plane);
    return reinterpret_cast<Half*>(plane + x * static_cast<std::ptrdiff_t>(rows.pixel)) +
           c % rows.group;
  }

  const Grid& grid_;
  int begin_, end_;
  std::size_t inputs_;
  std::size_t pixel_;  // numbers of a pixel of the input
  float* products_;
  Half* input_;
  const Rows* features_ = nullptr;
};

}  // namespace
}  // namespace invdn::INVDN_TARGET

#include "tasks.hpp"
