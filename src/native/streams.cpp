#include "streams.hpp"

#include <algorithm>

namespace invdn {
namespace {

constexpr int slack = 8;  // rows in flight besides those that the stages hold back

int rows_in_flight(std::size_t stages, int incoming, bool whole, int height) {
  return whole ? height : incoming + tile_edge * static_cast<int>(stages) + slack;
}

std::vector<Pass::Half> couplings(int blocks, bool without_last) {
  std::vector<Pass::Half> halves;
  for (int block = 0; block < blocks; ++block) {
    halves.push_back({block, false});
    halves.push_back({block, true});
  }
  if (without_last) halves.pop_back();  // its result would belong to the latent, which is dropped
  return halves;
}

std::vector<Pass::Half> uncouplings(int blocks, bool without_first) {
  std::vector<Pass::Half> halves = couplings(blocks, false);
  std::reverse(halves.begin(), halves.end());
  if (without_first) halves.erase(halves.begin());
  return halves;
}

}  // namespace

Pass::Pass(const Machine& machine, const Network& network, const Level& level, Use use,
           const std::vector<Half>& halves, int height, int width, int incoming, bool whole)
    : level_(level),
      height_(height),
      incoming_(whole ? height : incoming),
      // One stage more than there are: a decoder's rows wait for what its draws share.
      split_(height, width, level.split,
             rows_in_flight(halves.size() + 1, incoming, whole, height)),
      rest_(height, width, level.rest, rows_in_flight(halves.size() + 1, incoming, whole, height)) {
  const int threads = machine.pool->threads();
  for (const bool pair : {false, true}) {
    spaces_.push_back(
        std::make_unique<Workspace>(network, height, width, pair, level.rest, threads));
    if (whole) tails_.push_back(std::make_unique<Tails>(*spaces_.back()));
  }
  for (const Half& half : halves) {
    const Workspace& space = *spaces_[half.affine ? 1 : 0];
    if (!whole) tails_.push_back(std::make_unique<Tails>(space));
    const Tails& tails = whole ? *tails_[half.affine ? 1 : 0] : *tails_.back();
    const Block& block = level.blocks[static_cast<std::size_t>(half.block)];
    if (half.affine) {
      stages_.push_back(
          std::make_unique<AffineStage>(machine, space, tails, block, use, split_, rest_));
    } else {
      const float sign = use == Use::forward ? 1.0F : -1.0F;
      stages_.push_back(
          std::make_unique<AdditiveStage>(machine, space, tails, block, sign, split_, rest_));
    }
  }
}

int Pass::finished(int available) const {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    available = Stage::finished(available, height_);
  }
  return available;
}

int Pass::advance(int available) {
  for (const auto& stage : stages_) available = stage->advance(available);
  return available;
}

void Pass::reset() {
  for (const auto& stage : stages_) stage->reset();
}

// ---- encode ------------------------------------------------------------------------------------

Encoder::Encoder(const Network& network, Machine machine, int height, int width, int piece)
    : network_(network), machine_(std::move(machine)), height_(height) {
  const bool whole = piece >= height;
  int incoming = piece;
  for (const Level& level : network.levels()) {
    const bool last = &level == &network.levels().back();
    height /= 2;
    width /= 2;
    incoming = incoming / 2 + tile_edge;
    passes_.push_back(std::make_unique<Pass>(machine_, network, level, Use::forward,
                                             couplings(static_cast<int>(level.blocks.size()), last),
                                             height, width, incoming, whole));
  }
  received_.assign(passes_.size(), 0);
}

int Encoder::finished(int pushed) const {
  for (const auto& pass : passes_) pushed = pass->finished(pushed / 2);
  return pushed;
}

void Encoder::push(const View& noisy, int rows, const Target& low) {
  const int before = pushed_;
  pushed_ += rows;
  first_given_ = given_;
  advance(0, pushed_ / 2, {noisy, before / 2}, low);
}

// In pieces: the last rows of a picture let many go at once that were held back.
void Encoder::advance(std::size_t i, int available, const Arrived& noisy, const Target& low) {
  Pass& pass = *passes_[i];
  while (received_[i] < available) {
    const int begin = received_[i], end = std::min(begin + pass.incoming(), available);
    if (i == 0) {
      View rows = noisy.view;
      rows.data += 2 * (begin - noisy.first) * rows.row;
      analyse(rows, network_.channels(), pass.map(), begin, end);
    } else {
      analyse(passes_[i - 1]->map(), pass.map(), begin, end);
    }
    received_[i] = end;
    const int finished = pass.advance(end);
    if (i + 1 < passes_.size()) {
      advance(i + 1, finished / 2, noisy, low);
      continue;
    }
    Target rows = low;
    rows.data += (given_ - first_given_) * rows.row;
    copy(pass.map().split, network_.channels(), rows, given_, finished);
    given_ = finished;
  }
}

// ---- decode ------------------------------------------------------------------------------------

Decoder::Decoder(const Network& network, Machine machine, int height, int width, int draws,
                 int piece)
    : network_(network),
      machine_(std::move(machine)),
      low_height_(height / network.scale()),
      draws_(draws),
      whole_(piece >= low_height_),
      low_(low_height_, width / network.scale(), network.channels(),
           rows_in_flight(1, piece, whole_, low_height_)),
      shift_(low_height_, low_.width(), network.latent_channels(),
             rows_in_flight(1, piece, whole_, low_height_)),
      scale_(low_height_, low_.width(), network.latent_channels(),
             rows_in_flight(1, piece, whole_, low_height_)) {
  const Level& smallest = network.levels().back();
  space_ = std::make_unique<Workspace>(network, low_height_, low_.width(), true, smallest.rest,
                                       machine_.pool->threads());
  tails_ = std::make_unique<Tails>(*space_);
  shared_ = std::make_unique<AffineStage>(machine_, *space_, *tails_, smallest.blocks.back(), low_,
                                          shift_, scale_);
  bodies_.resize(whole_ ? 1 : static_cast<std::size_t>(draws));
  for (Body& body : bodies_) {
    int rows = low_height_, columns = low_.width(), incoming = piece;
    for (auto level = network.levels().rbegin(); level != network.levels().rend(); ++level) {
      const bool first = level == network.levels().rbegin();
      incoming += tile_edge;
      body.passes.push_back(
          std::make_unique<Pass>(machine_, network, *level, Use::inverse,
                                 uncouplings(static_cast<int>(level->blocks.size()), first), rows,
                                 columns, incoming, whole_));
      rows *= 2;
      columns *= 2;
      incoming *= 2;
    }
    body.received.assign(body.passes.size(), 0);
  }
}

int Decoder::finished(int pushed) const {
  int rows = Stage::finished(pushed, low_height_);
  for (const auto& pass : bodies_.front().passes) rows = 2 * pass->finished(rows);
  return rows;
}

void Decoder::push(const View& low, const View* latents, int rows, const Target* images) {
  const int before = pushed_;
  pushed_ += rows;
  fill(low, network_.channels(), low_, before, pushed_);
  const int shared = shared_rows_;
  shared_rows_ = shared_->advance(pushed_);
  for (int draw = 0; draw < draws_; ++draw) {
    Body& body = bodies_[whole_ ? 0 : static_cast<std::size_t>(draw)];
    if (whole_) {
      for (const auto& pass : body.passes) pass->reset();
      std::fill(body.received.begin(), body.received.end(), 0);
      body.given = 0;
    }
    const Map map = body.passes.front()->map();
    fill(low, network_.channels(), map.split, before, pushed_);
    fill(latents[draw], network_.latent_channels(), map.rest, before, pushed_);
    const auto floats =
        static_cast<std::size_t>(map.rest.width()) * static_cast<std::size_t>(map.rest.channels());
    for (int y = shared; y < shared_rows_; ++y) {
      machine_.kernels->uncouple(map.rest.row(y), shift_.row(y), scale_.row(y), floats);
    }
    body.received[0] = shared_rows_;
    body.first_given = body.given;
    advance(body, 0, images[draw]);
  }
}

// Passes on what pass i has received, in pieces.
void Decoder::advance(Body& body, std::size_t i, const Target& image) {
  Pass& pass = *body.passes[i];
  const int finished = pass.advance(body.received[i]);
  if (i + 1 == body.passes.size()) {
    Target rows = image;
    rows.data += 2 * (body.given - body.first_given) * rows.row;
    synthesise(pass.map(), network_.channels(), rows, body.given, finished);
    body.given = finished;
    return;
  }
  Pass& next = *body.passes[i + 1];
  int& received = body.received[i + 1];
  while (received < 2 * finished) {
    const int end = std::min(received + next.incoming(), 2 * finished);
    synthesise(pass.map(), next.map(), received / 2, end / 2);
    received = end;
    advance(body, i + 1, image);
  }
}

}  // namespace invdn
