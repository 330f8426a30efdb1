// The whole network from rows to rows: pictures pushed from top to bottom in pieces of any height.
//
//     Encoder   noisy ── Haar ── couple x n1 ── Haar ── couple x n2 ── low
//     Decoder   low ── shares of the first inverse ─┬─ for each draw:
//                                         latent ───┴─ uncouple x n2 ── Haar ── uncouple x n1 ──
//                                         Haar
//
// Rows come out as soon as all that they depend on has been pushed. Only the rows in flight are
// kept, so the memory does not grow with the height of the picture; pushed in one piece, the small
// maps are kept whole and the wide ones are shared by all blocks. The result is the same bit by
// bit.
#pragma once

#include <memory>
#include <vector>

#include "haar.hpp"

namespace invdn {

// All blocks of one size of map, in one direction, in place.
class Pass {
 public:
  // stages: which halves of the blocks, in order; incoming: most rows that come at once, even.
  struct Half {
    int block;
    bool affine;
  };
  Pass(const Machine& machine, const Network& network, const Level& level, Use use,
       const std::vector<Half>& halves, int height, int width, int incoming, bool whole);

  Map map() const { return {split_, rest_, level_.split, level_.rest}; }
  int incoming() const { return incoming_; }

  // Rows that come out once this many came in. Pure.
  int finished(int available) const;
  // Goes on as far as the rows that came in allow; returns the rows that came out.
  int advance(int available);
  void reset();

 private:
  const Level& level_;
  int height_;
  int incoming_;
  Plane split_;
  Plane rest_;
  std::vector<std::unique_ptr<Workspace>> spaces_;
  std::vector<std::unique_ptr<Tails>> tails_;
  std::vector<std::unique_ptr<Stage>> stages_;
};

class Encoder {
 public:
  // height, width: of the picture, multiples of the scale; piece: most rows pushed at once, another
  // multiple.
  Encoder(const Network& network, Machine machine, int height, int width, int piece);
  Encoder(const Encoder&) = delete;  // its stages refer to it
  Encoder& operator=(const Encoder&) = delete;

  // Rows of `low` that are out once this many rows of the picture are in. Pure.
  int finished(int pushed) const;
  // The next rows; writes the rows of `low` that they finish.
  void push(const View& noisy, int rows, const Target& low);

  int pushed() const { return pushed_; }
  int height() const { return height_; }

 private:
  // What was pushed last, and the row of the largest map that it begins with.
  struct Arrived {
    const View& view;
    int first;
  };

  void advance(std::size_t i, int available, const Arrived& noisy, const Target& low);

  const Network& network_;
  Machine machine_;
  int height_;
  int pushed_ = 0;
  std::vector<std::unique_ptr<Pass>> passes_;
  std::vector<int> received_;  // rows that each pass got
  int given_ = 0;              // rows of `low` that are out
  int first_given_ = 0;        // and that were before this push
};

class Decoder {
 public:
  // height, width: of the picture; draws: latents for each `low`; piece: most rows of `low` at
  // once.
  Decoder(const Network& network, Machine machine, int height, int width, int draws, int piece);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Rows of the picture that are out once this many rows of `low` are in. Pure.
  int finished(int pushed) const;
  // The next rows of `low` and of each latent; writes the rows that they finish.
  void push(const View& low, const View* latents, int rows, const Target* images);

  int pushed() const { return pushed_; }
  int low_height() const { return low_height_; }

 private:
  // What belongs to one draw: passes from the smallest maps to the largest.
  struct Body {
    std::vector<std::unique_ptr<Pass>> passes;
    std::vector<int> received;
    int given = 0;
    int first_given = 0;
  };

  void advance(Body& body, std::size_t i, const Target& image);

  const Network& network_;
  Machine machine_;
  int low_height_;
  int draws_;
  bool whole_;
  int pushed_ = 0;
  int shared_rows_ = 0;
  Plane low_;
  Plane shift_;
  Plane scale_;
  std::unique_ptr<Workspace> space_;
  std::unique_ptr<Tails> tails_;
  std::unique_ptr<AffineStage> shared_;
  std::vector<Body> bodies_;
};

}  // namespace invdn
