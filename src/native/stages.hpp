// The halves of coupling blocks, worked through from top to bottom while their rows arrive.
//
// A stage is one subnet (F) or two (G and H) with what their result is for. Its three convolutions
// run band by band, so that the wide maps between them are never larger than a band. The tiles of
// the first convolution lie two rows lower than those of the last, and those of the second one:
//
//     input      ############
//     first        ############      a tile of the last convolution needs one row of the second
//     second      ############       below it, and that needs one more of the first: what the
//     result     ############        tile beside it has just made
//
// So a stage needs three rows beyond its tile, and keeps two rows of each wide map for the next
// band. Every tile lies on a grid fixed in the picture, and its numbers depend on nothing else: not
// on the bands, nor on the threads, nor on how the rows were pushed.
#pragma once

#include <functional>
#include <vector>

#include "network.hpp"
#include "pool.hpp"

namespace invdn {

// What all stages of a pass share.
struct Machine {
  const Kernels* kernels;
  Pool* pool;
  std::function<void()> monitor;  // called between bands; an exception ends the work
};

// A picture's rows, channels-last: the last `kept` of them, zeros around them.
class Plane {
 public:
  // planes: maps of as many channels one beside the other in each row.
  Plane(int height, int width, int channels, int kept, int planes = 1);

  float* row(int y) const {
    return buffer_.data() + static_cast<std::size_t>(y % kept_) * stride_ + channels_;
  }
  int height() const { return height_; }
  int width() const { return width_; }
  int channels() const { return channels_; }      // padded
  std::size_t stride() const { return stride_; }  // floats of a row with its zeros

 private:
  int height_;
  int width_;
  int channels_;
  int kept_;
  std::size_t stride_;
  Buffer buffer_;
};

// The wide maps between the convolutions of one band, used by one stage after the other.
class Workspace {
 public:
  // pair: whether the maps hold the features of G and H; widest: channels of the widest plane that
  // a stage reads.
  Workspace(const Network& network, int height, int width, bool pair, int widest, int threads);

  int height() const { return height_; }
  int width() const { return width_; }
  // The channel of H's features, floats from pixel to pixel and from one plane to the next, and to
  // what rounding left, 0: there is none.
  int second_of_pair() const { return second_of_pair_; }
  std::size_t pixel() const { return static_cast<std::size_t>(first_.channels()); }
  std::size_t plane() const {
    return rules_.tiles() ? first_.stride() / static_cast<std::size_t>(planes_) : 0;
  }
  std::size_t low() const;
  int group() const { return rules_.outer.group(); }
  Plane rows(int count) const { return {count, width_, first_.channels(), count, planes_}; }
  int band() const { return band_; }  // tile rows
  int tile_columns() const { return (width_ + tile_edge - 1) / tile_edge; }
  int tile_rows() const { return (height_ + tile_edge - 1) / tile_edge; }
  std::size_t stride() const { return first_.stride(); }
  float* first(int index) const { return first_.row(index); }
  float* second(int index) const { return second_.row(index); }
  float* zeros() const { return zeros_.row(0); }

 private:
  int planes(int channels) const;

  int height_;
  int width_;
  Rules rules_;
  int second_of_pair_;
  int planes_;
  int band_;
  Plane first_;
  Plane second_;
  Plane zeros_;
};

// Two rows of each wide map, which the next band goes on from.
class Tails {
 public:
  explicit Tails(const Workspace& space) : first_(space.rows(2)), second_(space.rows(2)) {}

  float* first(int index) const { return first_.row(index); }
  float* second(int index) const { return second_.row(index); }

 private:
  Plane first_;
  Plane second_;
};

class Stage {
 public:
  Stage(const Machine& machine, const Workspace& space, const Tails& tails)
      : machine_(machine), space_(space), tails_(tails) {}
  virtual ~Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Rows that will be finished once this many of the input are there. Pure.
  static int finished(int available, int height);

  // Goes on as far as the rows of the input allow; returns the rows finished.
  int advance(int available);

  // Back to the first row.
  void reset() { done_ = 0; }

 protected:
  // The pointers to a map's rows during one band.
  struct Table {
    std::vector<float*> rows;
    int first;
    std::size_t pixel;
    std::size_t low = 0;
    std::size_t plane = 0;
    int group = chunk_depth;

    Rows from(int channel = 0) const {
      return {rows.data(), first, pixel, channel, low, plane, group};
    }
  };
  struct Band {
    int begin, end;  // tile rows of the last convolution
    int start;       // of the two before it
    Table first, second;
  };

  Table table(const Plane& plane, const Band& band) const;
  Grid grid(int first_tile_row, int shift) const;
  // One of the three convolutions of a band: its rows of tiles, how many times over, and the work.
  struct Step {
    int tile_rows;
    int times;
    std::function<void(int time, int begin, int end, float* scratch)> work;
  };
  Step first_features(const Table& source, const Band& band, const Convolution& weights) const;
  Step second_features(const Band& band, std::initializer_list<const Convolution*> weights) const;
  // Does the three steps strip by strip of columns, so that what one makes is in the cache for the
  // next, which follows it by a tile.
  void sweep(const Step& first, const Step& second, const Step& third) const;

  virtual void run(const Band& band) = 0;

  const Machine& machine_;
  const Workspace& space_;

 private:
  int strip_columns(int tile_rows) const;
  // Tiles of the columns begin to end in blocks, shared by the threads.
  void blocks(const Step& step, int begin, int end) const;
  Band make_band(int begin, int end) const;
  void keep_tails(const Band& band) const;

  const Tails& tails_;
  int done_ = 0;  // tile rows
};

// split += sign * F(rest)
class AdditiveStage final : public Stage {
 public:
  AdditiveStage(const Machine& machine, const Workspace& space, const Tails& tails,
                const Block& block, float sign, const Plane& split, const Plane& rest)
      : Stage(machine, space, tails), block_(block), sign_(sign), split_(split), rest_(rest) {}

 private:
  void run(const Band& band) override;

  const Block& block_;
  float sign_;
  const Plane& split_;
  const Plane& rest_;
};

// rest = rest * exp(s) + G(split), or its inverse, or what all inverses share.
class AffineStage final : public Stage {
 public:
  AffineStage(const Machine& machine, const Workspace& space, const Tails& tails,
              const Block& block, Use use, const Plane& split, const Plane& rest)
      : Stage(machine, space, tails),
        block_(block),
        use_(use),
        split_(split),
        rest_(rest),
        scale_(rest) {}
  AffineStage(const Machine& machine, const Workspace& space, const Tails& tails,
              const Block& block, const Plane& split, const Plane& shift, const Plane& scale)
      : Stage(machine, space, tails),
        block_(block),
        use_(Use::precompute),
        split_(split),
        rest_(shift),
        scale_(scale) {}

 private:
  void run(const Band& band) override;

  const Block& block_;
  Use use_;
  const Plane& split_;
  const Plane& rest_;  // or the shift
  const Plane& scale_;
};

}  // namespace invdn
