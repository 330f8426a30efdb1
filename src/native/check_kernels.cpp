// Holds every kernel that this processor can run against convolutions written out, the whole
// network against itself (cut into rows, and on several threads), and the work on pixels against
// plain C++. Prints a line for each and exits with 1 where one differs. Runs under an emulator and
// under sanitizers, without Python.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "pixels.hpp"
#include "streams.hpp"

namespace {

using invdn::padded;

std::mt19937 generator(1);

float draw(float spread = 1) {
  return spread * (2 * static_cast<float>(generator() & 0xffff) / 0xffff - 1);
}

std::vector<float> drawn(std::size_t count, float spread = 1) {
  std::vector<float> values(count);
  for (float& value : values) value = draw(spread);
  return values;
}

// The tensors of one convolution, kept alive.
struct Values {
  std::vector<float> kernels, biases;

  Values(int inputs, int outputs)
      : kernels(drawn(static_cast<std::size_t>(inputs) * outputs * 9,
                      1 / std::sqrt(9.0F * static_cast<float>(inputs)))),
        biases(drawn(static_cast<std::size_t>(outputs), 0.1F)) {}

  invdn::Tensors tensors() const { return {kernels.data(), biases.data()}; }
};

// What a convolution is, in float64: zeros outside the picture.
double convolved(const invdn::Plane& plane, int inputs, const Values& values, int output, int y,
                 int x) {
  double sum = values.biases[static_cast<std::size_t>(output)];
  for (int i = 0; i < inputs; ++i) {
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        if (y + dy < 0 || y + dy >= plane.height() || x + dx < 0 || x + dx >= plane.width()) {
          continue;
        }
        const auto place =
            static_cast<std::size_t>(((output * inputs + i) * 3 + dy + 1) * 3 + dx + 1);
        sum += static_cast<double>(values.kernels[place]) *
               plane.row(y + dy)[(x + dx) * plane.channels() + i];
      }
    }
  }
  return sum;
}

std::vector<float*> rows_of(const invdn::Plane& plane, float* zeros) {
  std::vector<float*> rows;
  for (int y = -8; y < plane.height() + 8; ++y) {
    rows.push_back(y < 0 || y >= plane.height() ? zeros : plane.row(y));
  }
  return rows;
}

invdn::Plane filled(int height, int width, int channels) {
  invdn::Plane plane(height, width, channels, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) plane.row(y)[x * plane.channels() + c] = draw();
    }
  }
  return plane;
}

// A bfloat16 of a wide map.
double half(const float* pixel, int channel) {
  std::uint16_t bits;
  std::memcpy(&bits, reinterpret_cast<const char*>(pixel) + 2 * channel, 2);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// The largest error of one convolution with LeakyReLU.
double features_error(const invdn::Kernels& kernels, invdn::Precision precision, int height,
                      int width, int inputs, int outputs, int shift) {
  const Values values(inputs, outputs);
  const invdn::Rules rules = invdn::rules(precision, kernels.halves, outputs);
  const invdn::Products& products = rules.outer;
  invdn::Convolution convolution(0, inputs, outputs, products);
  std::vector<int> positions;
  for (int i = 0; i < inputs; ++i) positions.push_back(i);
  convolution.add(values.tensors(), outputs, 0, positions);
  const invdn::Plane source = filled(height, width, inputs);
  const int wide = padded(outputs);
  // As wide maps lie: numbers, or planes of bfloat16 and of what rounding left.
  const bool halves = rules.tiles();
  const int group = products.group(), chunks = invdn::chunks_of(wide, group);
  const int planes = !halves ? 1 : products.paired ? chunks : rules.map_terms() * chunks;
  const invdn::Plane target(height, width, halves ? 16 : wide, height, planes);
  const std::size_t plane = target.stride() / static_cast<std::size_t>(planes);
  const std::size_t low = rules.map_terms() == 1 ? 0 : products.paired ? 8 : target.stride() / 2;
  const invdn::Plane none(1, width, std::max(inputs, 64 * chunks), 1);
  auto from = rows_of(source, none.row(0)), to = rows_of(target, none.row(0));
  const int columns = (width + 3) / 4, first = shift > 0 ? -1 : 0;
  const invdn::Features task{
      .grid = {first, shift, columns, height, width},
      .features = {},
      .input = {from.data(), -8, static_cast<std::size_t>(source.channels()), 0},
      .weights = convolution.weights(),
      .target = {to.data(), -8, static_cast<std::size_t>(target.channels()), 0,
                 low, plane, group}};
  const invdn::Buffer scratch(invdn::scratch_floats(0, padded(inputs), padded(outputs)));
  const int tiles = ((height + 3) / 4 - first) * columns;
  for (int begin = 0; begin < tiles; begin += invdn::tiles_in_block) {
    kernels.features(task, begin, std::min(begin + invdn::tiles_in_block, tiles), scratch.data());
  }
  double worst = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < outputs; ++c) {
        const double plain = convolved(source, inputs, values, c, y, x);
        const double expected = plain > 0 ? plain : plain * 0.2;
        double found = target.row(y)[x * target.channels() + (halves ? 0 : c)];
        if (halves) {
          const float* pixel =
              target.row(y) + plane * static_cast<std::size_t>(c / group) + x * 16;
          found = half(pixel, c % group);
          if (low > 0) found += half(pixel + low, c % group);
        }
        worst = std::max(worst, std::abs(expected - found));
      }
    }
  }
  return worst;
}

struct Published {
  std::vector<Values> values;
  std::vector<invdn::BlockTensors> blocks;

  // A network of the published widths with `count` blocks on each of two levels.
  explicit Published(int count, int features) {
    values.reserve(static_cast<std::size_t>(count) * 18);
    for (const int channels : {12, 48}) {
      for (int i = 0; i < count; ++i) {
        const auto convolution = [&](int inputs, int outputs) {
          return values.emplace_back(inputs, outputs).tensors();
        };
        const auto subnet = [&](int inputs, int outputs) {
          const auto first = convolution(inputs, features),
                     second = convolution(features, features);
          return invdn::Subnet{first, second, convolution(inputs + features, outputs)};
        };
        const auto f = subnet(channels - 3, 3), g = subnet(3, channels - 3);
        blocks.push_back({f, g, subnet(3, channels - 3)});
      }
    }
  }
};

using Pictures = std::pair<std::vector<float>, std::vector<float>>;  // low, and the last draw

Pictures through(const invdn::Network& network, const invdn::Kernels& kernels, int threads,
                 int height, int width, int piece, const std::vector<float>& noisy,
                 const std::vector<float>& latent) {
  invdn::Pool pool(threads, network.scratch());
  const invdn::Machine machine{&kernels, &pool, {}};
  const int h = height / 4, w = width / 4, full = height * width, small = h * w, draws = 2;
  Pictures result{std::vector<float>(static_cast<std::size_t>(3 * small)),
                  std::vector<float>(static_cast<std::size_t>(3 * full))};
  std::vector<float> first(result.second);
  invdn::Encoder encoder(network, machine, height, width, piece * 4);
  for (int y = 0; y < h; y += piece) {
    const int out = encoder.finished(4 * y), rows = std::min(piece, h - y);
    encoder.push({noisy.data() + 4 * y * width, full, width, 1}, 4 * rows,
                 {result.first.data() + out * w, small, w});
  }
  invdn::Decoder decoder(network, machine, height, width, draws, piece);
  for (int y = 0; y < h; y += piece) {
    const int out = decoder.finished(y) * width, rows = std::min(piece, h - y);
    const invdn::View latents[] = {{latent.data() + 45 * small + y * w, small, w, 1},
                                   {latent.data() + y * w, small, w, 1}};
    const invdn::Target images[] = {{first.data() + out, full, width},
                                    {result.second.data() + out, full, width}};
    decoder.push({result.first.data() + y * w, small, w, 1}, latents, rows, images);
  }
  return result;
}

int failures = 0;

void report(const std::string& what, double error, double allowed) {
  const bool good = error <= allowed;  // not where it is not a number
  std::printf("%s  %-58s %.2e\n", good ? "ok    " : "FAILED", what.c_str(), error);
  if (!good) ++failures;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(apart <= worst)) worst = apart;
  }
  return worst;
}

struct Case {
  const char* name;
  invdn::Precision precision;
  const char* what;
  double convolution, low, image;  // errors allowed: of a convolution, and against plain C++
};

// Shares of noise and dithered pixels of windows that fill no vector.
std::vector<float> worked_on(const invdn::PixelWork& work, int height, int width, int channels) {
  generator.seed(7);
  const auto count = static_cast<std::size_t>(height * width * channels);
  std::vector<float> denoised(count), noisy(count);
  for (std::size_t i = 0; i < count; ++i) {
    denoised[i] = 0.5F + draw(i % 3 == 0 ? 0.002F : 0.001F);
    noisy[i] = std::max(0.0F, denoised[i] + draw(0.6F));
  }
  const auto features = static_cast<std::size_t>(invdn::share_features),
             units = static_cast<std::size_t>(invdn::share_units);
  const auto mean = drawn(features), first = drawn(features * units, 0.2F), bias = drawn(units),
             second = drawn(units * units, 0.2F), last = drawn(2 * units, 0.2F);
  const std::vector<float> spread(features, 2.0F);
  const double brightness[] = {60, 120, 200}, spreads[] = {9, 7, 4};
  const invdn::PhotographNoise noise{
      {1, 2, 1, 0, 1, 1, 0.3F}, 4, 0.3F, 3, brightness, spreads, spreads};
  const invdn::ShareLayers layers{mean.data(),   spread.data(), first.data(), bias.data(),
                                  second.data(), bias.data(),   last.data(),  bias.data()};
  const invdn::Window before{noisy.data(), width * channels, height, width, channels},
      after{denoised.data(), width * channels, height, width, channels};
  const invdn::Buffer scratch(invdn::share_scratch(height, width));
  const int cells = invdn::cells_of(height) * invdn::cells_of(width);
  std::vector<float> found(static_cast<std::size_t>(2 * cells)),
      shares(static_cast<std::size_t>(2 * height * width)), result(count);
  std::vector<double> logits(found.size());
  work.logits(before, after, noise, layers, logits.data(), scratch.data());
  work.bend(logits.data(), logits.size(), 0.2, found.data());
  work.to_pixels(found.data(), height, width, shares.data());
  const invdn::Buffer lines(invdn::dither_scratch(width, channels));
  work.dither(after, after, before, after, 0, 0, 11, 5, result.data(), lines.data());
  shares.insert(shares.end(), result.begin(), result.end());
  return shares;
}

void check_pixels() {
  const int shapes[][3] = {{1, 1, 3}, {2, 17, 1}, {5, 3, 3}, {37, 61, 3}, {64, 64, 1}};
  for (const char* name : {"plain", "avx2", "neon"}) {
    const invdn::PixelWork* work = invdn::find_pixel_work(name);
    if (work == nullptr) {
      std::printf("absent  %s, pixels\n", name);
      continue;
    }
    for (const auto& s : shapes) {
      const auto found = worked_on(*work, s[0], s[1], s[2]);
      const auto plain = worked_on(*invdn::find_pixel_work("plain"), s[0], s[1], s[2]);
      bool finite = true;
      for (const float value : found) finite &= std::isfinite(value);
      report(std::string(name) + ": pixels, " + std::to_string(s[0]) + "x" + std::to_string(s[1]) +
                 ", " + std::to_string(s[2]) + " channels",
             finite ? difference(plain, found) : 1, 2e-6);
    }
  }
}

}  // namespace

int main() {
  using invdn::Precision;
  check_pixels();
  const Case cases[] = {
      {"plain", Precision::float32, "", 5e-6, 1e-5, 1e-4},
      {"avx2", Precision::float32, "", 5e-6, 1e-5, 1e-4},
      {"avx512", Precision::float32, "", 5e-6, 1e-5, 1e-4},
      {"neon", Precision::float32, "", 5e-6, 1e-5, 1e-4},
      {"avx512_bf16", Precision::mixed, " mixed", 5e-6, 1e-2, 2e-1},
      {"avx512_bf16", Precision::mixed_inputs, " mixed_inputs", 5e-6, 1e-2, 2e-1},
      {"avx512_bf16", Precision::bfloat16, " bfloat16", 4e-2, 1e-2, 2e-1},
      {"neon_bf16", Precision::mixed, " mixed", 5e-6, 1e-2, 2e-1},
      {"neon_bf16", Precision::mixed_inputs, " mixed_inputs", 5e-6, 1e-2, 2e-1},
      {"neon_bf16", Precision::bfloat16, " bfloat16", 4e-2, 1e-2, 2e-1},
      {"amx", Precision::bfloat16x3, " bfloat16x3", 2e-5, 1e-4, 5e-4},
      {"amx", Precision::mixed, " mixed", 2e-5, 1e-2, 2e-1},
      {"amx", Precision::mixed_inputs, " mixed_inputs", 2e-2, 1e-2, 2e-1},
      {"amx", Precision::bfloat16, " bfloat16", 2e-2, 1e-2, 2e-1},
  };
  std::vector<Pictures> references;
  for (const Case& test : cases) {
    const invdn::Kernels* kernels = invdn::find_kernels(test.name, test.precision);
    const std::string name = std::string(test.name) + test.what;
    if (kernels == nullptr) {
      std::printf("absent  %s\n", name.c_str());
      continue;
    }
    const int shapes[][5] = {{1, 1, 3, 5, 0},     {2, 3, 3, 128, 2},  {5, 4, 9, 64, 1},
                             {13, 30, 64, 64, 1}, {7, 23, 9, 16, 1},  {9, 17, 45, 64, 2},
                             {4, 7, 67, 45, 0},
                             {6, 6, 73, 3, 0},    {3, 11, 20, 90, 0}, {8, 5, 109, 3, 0}};
    for (const auto& s : shapes) {
      report(name + ": " + std::to_string(s[0]) + "x" + std::to_string(s[1]) + ", " +
                 std::to_string(s[2]) + " to " + std::to_string(s[3]) + " channels",
             features_error(*kernels, test.precision, s[0], s[1], s[2], s[3], s[4]),
             test.convolution);
    }
    std::size_t index = 0;
    for (const int features : {8, 16, 24, 64}) {
      generator.seed(2);
      const Published published(2, features);
      const invdn::Network network({2, 2}, features, 3, published.blocks, test.precision,
                                   kernels->halves);
      const int height = features == 24 ? 92 : 36, width = 52;
      const auto noisy = drawn(static_cast<std::size_t>(3 * height * width));
      const auto latent = drawn(static_cast<std::size_t>(2 * 45 * height * width / 16));
      const Pictures whole =
          through(network, *kernels, 1, height, width, height / 4, noisy, latent);
      const std::string title = name + ", " + std::to_string(features) + " features: ";
      for (const auto& [threads, piece] : {std::pair{1, 1}, {1, 5}, {3, 23}, {2, 2}}) {
        if (features == 64 && piece > 5) continue;
        const Pictures cut =
            through(network, *kernels, threads, height, width, piece, noisy, latent);
        report(title + std::to_string(threads) + " threads, pieces of " +
                   std::to_string(4 * piece) + " rows",
               difference(whole.first, cut.first) + difference(whole.second, cut.second), 0);
      }
      if (index == references.size()) references.push_back(whole);
      report(title + "against plain, low", difference(references[index].first, whole.first),
             test.low);
      report(title + "against plain, image", difference(references[index].second, whole.second),
             test.image);
      ++index;
    }
  }
  std::printf(failures ? "%d FAILED\n" : "all is well\n", failures);
  return failures ? 1 : 0;
}
