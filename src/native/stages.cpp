#include "stages.hpp"

#include <algorithm>
#include <cstring>

namespace invdn {
namespace {

constexpr int pixels_beyond = 16;     // behind a plane, that kernels may read and drop
constexpr int beyond = 3;             // rows of the input that a tile needs below itself
constexpr int tiles_for_thread = 48;  // in a band: enough to share, few enough to stay in the cache

int divided_up(int a, int b) { return (a + b - 1) / b; }

int band_rows(int height, int width, int threads) {
  const int rows = divided_up(height, tile_edge), columns = divided_up(width, tile_edge);
  return std::clamp(divided_up(tiles_for_thread * threads, columns), 1, rows);
}

}  // namespace

Plane::Plane(int height, int width, int channels, int kept, int planes)
    : height_(height),
      width_(width),
      channels_(padded(channels)),
      kept_(std::min(height, kept)),
      stride_(static_cast<std::size_t>(divided_up(width, tile_edge) * tile_edge + 2) *
              static_cast<std::size_t>(channels_ * planes)),
      buffer_(stride_ * static_cast<std::size_t>(kept_) +
              static_cast<std::size_t>(pixels_beyond * channels_ + chunk_depth)) {}

// The first band has one more row of tiles above the picture in the first two convolutions; those
// of their results that lie in it are in the tails.
Workspace::Workspace(const Network& network, int height, int width, bool pair, int widest,
                     int threads)
    : height_(height),
      width_(width),
      rules_(network.rules()),
      second_of_pair_(pair ? invdn::second_of_pair(network.features(), rules_) : 0),
      planes_(planes(second_of_pair_ + network.features())),
      band_(band_rows(height, width, threads)),
      first_(band_ * tile_edge, width,
             rules_.tiles() ? chunk_depth / 2 : second_of_pair_ + network.features(),
             band_ * tile_edge, planes_),
      second_(rows(band_ * tile_edge)),
      zeros_(1, width, std::max(first_.channels() * planes_, padded(widest)), 1) {}

// Planes of chunks: one for both parts of paired channels, else one for each.
int Workspace::planes(int channels) const {
  if (!rules_.tiles()) return 1;
  const int chunks = chunks_of(channels, rules_.outer.group());
  return rules_.outer.paired ? chunks : rules_.map_terms() * chunks;
}

std::size_t Workspace::low() const {
  if (rules_.map_terms() == 1) return 0;
  return rules_.outer.paired ? narrow / 2 : first_.stride() / 2;
}

int Stage::finished(int available, int height) {
  if (available >= height) return height;
  return std::max(0, available - beyond) / tile_edge * tile_edge;
}

int Stage::advance(int available) {
  const int height = space_.height();
  const int target = divided_up(finished(available, height), tile_edge);
  while (done_ < target) {
    const Band band = make_band(done_, std::min(done_ + space_.band(), target));
    if (machine_.monitor) machine_.monitor();
    run(band);
    keep_tails(band);
    done_ = band.end;
  }
  return std::min(done_ * tile_edge, height);
}

// The wide maps of a band: two rows from the band before, then those of the workspace; rows outside
// the picture are zeros.
Stage::Band Stage::make_band(int begin, int end) const {
  const Table none{{}, 0, space_.pixel(), space_.low(), space_.plane(), space_.group()};
  Band band{begin, end, begin == 0 ? -1 : begin, none, none};
  const int height = space_.height();
  const int top = begin * tile_edge;
  const auto rows = [&](int from, int to, int tail, auto tails, auto space) {
    std::vector<float*> result;
    for (int y = from; y < to; ++y) {
      const int place = y - tail;
      result.push_back(y < 0 || y >= height ? space_.zeros()
                       : place < 2          ? tails(place)
                                            : space(place - 2));
    }
    return result;
  };
  band.first.first = band.start * tile_edge;
  band.first.rows = rows(
      band.first.first, end * tile_edge + 2, top, [&](int i) { return tails_.first(i); },
      [&](int i) { return space_.first(i); });
  band.second.first = top - 1;
  band.second.rows = rows(
      band.second.first, end * tile_edge + 1, top - 1, [&](int i) { return tails_.second(i); },
      [&](int i) { return space_.second(i); });
  return band;
}

void Stage::keep_tails(const Band& band) const {
  if (band.end == space_.tile_rows()) return;
  const auto keep = [&](float* to, const Table& table, int y) {
    const float* from = table.rows[static_cast<std::size_t>(y - table.first)];
    std::memcpy(to, from, (space_.stride() - space_.pixel()) * sizeof(float));
  };
  const int next = band.end * tile_edge;
  for (int i = 0; i < 2; ++i) {
    keep(tails_.first(i), band.first, next + i);
    keep(tails_.second(i), band.second, next - 1 + i);
  }
}

Stage::Table Stage::table(const Plane& plane, const Band& band) const {
  const int first = band.begin == 0 ? -tile_edge - 1 : band.begin * tile_edge - 1;
  Table table{{}, first, static_cast<std::size_t>(plane.channels())};
  for (int y = first; y < band.end * tile_edge + beyond; ++y) {
    table.rows.push_back(y < 0 || y >= plane.height() ? space_.zeros() : plane.row(y));
  }
  return table;
}

Grid Stage::grid(int first_tile_row, int shift) const {
  return {first_tile_row, shift, space_.tile_columns(), space_.height(), space_.width()};
}

// Columns of tiles in a strip: all, where the wide maps of a band fit into the cache.
int Stage::strip_columns(int tile_rows) const {
  const int columns = space_.tile_columns();
  const int strip = std::max(4, tiles_for_thread * machine_.pool->threads() / tile_rows);
  return strip + strip / 2 < columns ? strip : columns;
}

void Stage::sweep(const Step& first, const Step& second, const Step& third) const {
  const int columns = space_.tile_columns(), strip = strip_columns(first.tile_rows);
  const Step* const steps[] = {&first, &second, &third};
  int done[] = {0, 0, 0};
  while (done[2] < columns) {
    const int target = std::min(done[0] + strip, columns);
    for (int i = 0; i < 3; ++i) {
      const int end = target == columns ? columns : std::max(done[i], target - i);
      if (end > done[i]) blocks(*steps[i], done[i], end);
      done[i] = end;
    }
  }
}

void Stage::blocks(const Step& step, int begin, int end) const {
  const int columns = space_.tile_columns(), width = end - begin;
  const bool all = width == columns;  // then a block may go on in the next row
  const int rows = all ? 1 : step.tile_rows;
  const int tiles = all ? step.tile_rows * columns : width;
  const int count = divided_up(tiles, tiles_in_block);
  const int size = std::min(tiles_in_block, divided_up(divided_up(tiles, count), 6) * 6);
  const int pieces = divided_up(tiles, size);
  machine_.pool->run(pieces * rows * step.times, [&](int piece, float* scratch) {
    const int row = piece / pieces % rows, first = piece % pieces * size;
    const int offset = row * columns + begin;
    step.work(piece / pieces / rows, offset + first, offset + std::min(first + size, tiles),
              scratch);
  });
}

Stage::Step Stage::first_features(const Table& source, const Band& band,
                                  const Convolution& weights) const {
  const Features task{.grid = grid(band.start, 2),
                      .features = {},
                      .input = source.from(),
                      .weights = weights.weights(),
                      .target = band.first.from()};
  return {band.end - band.start, 1, [this, task](int, int begin, int end, float* scratch) {
            machine_.kernels->features(task, begin, end, scratch);
          }};
}

Stage::Step Stage::second_features(const Band& band,
                                   std::initializer_list<const Convolution*> weights) const {
  std::vector<Features> tasks;
  int channel = 0;
  for (const Convolution* convolution : weights) {
    tasks.push_back({.grid = grid(band.start, 1),
                     .features = band.first.from(channel),
                     .input = {},
                     .weights = convolution->weights(),
                     .target = band.second.from(channel)});
    channel += space_.second_of_pair();
  }
  const int times = static_cast<int>(tasks.size());
  return {band.end - band.start, times,
          [this, tasks = std::move(tasks)](int time, int begin, int end, float* scratch) {
            machine_.kernels->features(tasks[static_cast<std::size_t>(time)], begin, end, scratch);
          }};
}

void AdditiveStage::run(const Band& band) {
  const Table input = table(rest_, band), target = table(split_, band);
  const Additive task{.grid = grid(band.begin, 0),
                      .features = band.second.from(),
                      .input = input.from(),
                      .weights = block_.f_third.weights(),
                      .target = target.from(),
                      .sign = sign_};
  sweep(first_features(input, band, block_.f_first), second_features(band, {&block_.f_second}),
        {band.end - band.begin, 1, [&](int, int begin, int end, float* scratch) {
           machine_.kernels->additive(task, begin, end, scratch);
         }});
}

void AffineStage::run(const Band& band) {
  const Table input = table(split_, band);
  const Table target = table(rest_, band), scale = table(scale_, band);
  const Affine task{.grid = grid(band.begin, 0),
                    .features_g = band.second.from(),
                    .features_h = band.second.from(space_.second_of_pair()),
                    .input = input.from(),
                    .weights_g = block_.g_third.weights(),
                    .weights_h = block_.h_third.weights(),
                    .use = use_,
                    .target = target.from(),
                    .shift = target.from(),
                    .scale = scale.from()};
  sweep(first_features(input, band, block_.gh_first),
        second_features(band, {&block_.g_second, &block_.h_second}),
        {band.end - band.begin, 1, [&](int, int begin, int end, float* scratch) {
           machine_.kernels->affine(task, begin, end, scratch);
         }});
}

}  // namespace invdn
