// Shares of noise and dithering, in the order of sums that Python has.
//
// Compiled once for each instruction set, as kernels.cpp is; compilers make vectors of the loops.
#include "pixels.hpp"

#include <math.h>  // not <cmath>, whose functions are of the standard library
#include <string.h>

#include "vector.hpp"

namespace invdn::INVDN_TARGET {
namespace {

constexpr float white = 255.0F;
constexpr float energy_floor = 0.03F;
constexpr float red_weight = 0.299F, green_weight = 0.587F, blue_weight = 0.114F;
constexpr float to_cb = static_cast<float>(0.5 / (1 - 0.114));
constexpr float to_cr = static_cast<float>(0.5 / (1 - 0.299));
constexpr float colour_of_grey = 0.8F;
constexpr int radii[] = {1, 2, 5};
constexpr int lags[] = {2, 4};
constexpr float even_energy = 0.02F;
constexpr double beyond = 0.05;
constexpr int firsts[] = {0, 5};  // of luma and of colour
// Statistics by their places in noise_shares.py.
enum Statistic {
  luma_change = 0,
  colour_change = 5,
  turned_along = 10,
  brightness = 12,
  lagged = 14,
  clipped = 18,
  saturation = 19
};

INVDN_INLINE int lesser(int a, int b) { return a < b ? a : b; }
INVDN_INLINE int greater(int a, int b) { return a > b ? a : b; }
INVDN_INLINE float lesser(float a, float b) { return a < b ? a : b; }
INVDN_INLINE float greater(float a, float b) { return a > b ? a : b; }

// Natural logarithm of a positive number, from: Moshier, Cephes, logf.
INVDN_INLINE float logarithm(float x) {
  std::int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  // The mantissa from sqrt(1/2) to sqrt(2).
  std::int32_t exponent = (bits - 0x3f3504f3) >> 23;
  bits -= exponent * (1 << 23);
  float m;
  memcpy(&m, &bits, sizeof m);
  const float r = m - 1.0F, e = static_cast<float>(exponent), z = r * r;
  float y = 7.0376836292e-2F;
  y = y * r - 1.1514610310e-1F;
  y = y * r + 1.1676998740e-1F;
  y = y * r - 1.2420140846e-1F;
  y = y * r + 1.4249322787e-1F;
  y = y * r - 1.6668057665e-1F;
  y = y * r + 2.0000714765e-1F;
  y = y * r - 2.4999993993e-1F;
  y = y * r + 3.3333331174e-1F;
  y = y * r * z + e * -2.12194440e-4F - 0.5F * z;
  return r + y + e * 0.693359375F;
}

INVDN_INLINE float log_energy(float x) { return logarithm(greater(x, 0.0F) + energy_floor); }

// ---- statistics --------------------------------------------------------------------------------

// Luma and two differences of colour of a row of pixels, in steps of 8 bits; the last pixel is
// repeated behind the row up to `count`.
INVDN_INLINE void planes_of_row(const Window& window, int y, int count, std::size_t stride,
                                float* to) {
  const float* from = window.data + lesser(y, window.height - 1) * window.row;
  const int width = window.width;
  const int planes = window.channels == 1 ? 1 : 3;
  if (planes == 1) {
    for (int x = 0; x < width; ++x) to[x] = from[x] * white;
  } else {
    float *const luma = to, *const cb = to + stride, *const cr = to + 2 * stride;
    for (int x = 0; x < width; ++x) {
      const float r = from[3 * x] * white, g = from[3 * x + 1] * white, b = from[3 * x + 2] * white;
      const float l = red_weight * r + green_weight * g + blue_weight * b;
      luma[x] = l;
      cb[x] = (b - l) * to_cb;
      cr[x] = (r - l) * to_cr;
    }
  }
  for (int plane = 0; plane < planes; ++plane, to += stride) {
    for (int x = width; x < count; ++x) to[x] = to[width - 1];
  }
}

// Means of cells, from the sums of their four rows; adds to what is there.
INVDN_INLINE void add_cells(const float* sums, int columns, float* to) {
  for (int c = 0; c < columns; ++c) {
    const float* s = sums + cell_edge * c;
    to[c] += (s[0] + s[1] + (s[2] + s[3])) * (1.0F / 16);
  }
}

// sums[x] = ((f(0) + f(1)) + (f(2) + f(3))) of rows, f(row, x).
template <class Value>
INVDN_INLINE void sum_rows(int count, float* sums, Value value) {
  for (int x = 0; x < count; ++x) {
    sums[x] = value(0, x) + value(1, x) + (value(2, x) + value(3, x));
  }
}

struct Statistics {
  float* planes;
  std::size_t plane, line;

  float* row(int index, int y) const {
    return planes + static_cast<std::size_t>(index) * plane + static_cast<std::size_t>(y) * line;
  }
};

// One row of cells. pixels: room for the planes of eight rows of both windows.
void measure_row(const Window& noisy, const Window& denoised, int y, const Statistics& to,
                 float* pixels) {
  const int columns = cells_of(noisy.width), wide = cell_edge * columns, count = wide + cell_edge;
  const std::size_t stride = static_cast<std::size_t>(count + 16);
  const int planes = noisy.channels == 1 ? 1 : 3;
  constexpr int rows = 2 * cell_edge;
  float* const sums = pixels + rows * 6 * stride;
  float* const squares = sums + stride;  // of the mean
  for (int i = 0; i < statistics_planes; ++i) {
    float* out = to.row(i, y);
    for (int c = 0; c < columns; ++c) out[c] = 0;
  }
  for (int r = 0; r < rows; ++r) {
    float* whole = pixels + static_cast<std::size_t>(r) * 6 * stride;
    float* result = whole + 3 * stride;
    planes_of_row(noisy, cell_edge * y + r, count, stride, whole);
    planes_of_row(denoised, cell_edge * y + r, count, stride, result);
    for (int p = 0; p < planes; ++p) {
      float* change = whole + static_cast<std::size_t>(p) * stride;
      const float* clean = result + static_cast<std::size_t>(p) * stride;
      for (int x = 0; x < count; ++x) change[x] -= clean[x];
    }
  }
  for (int p = 0; p < planes; ++p) {
    const float *w[rows], *s[rows];
    for (int r = 0; r < rows; ++r) {
      w[r] = pixels + static_cast<std::size_t>(r * 6 + p) * stride;
      s[r] = w[r] + 3 * stride;
    }
    const auto add = [&](int index, auto value) {
      sum_rows(wide, sums, value);
      add_cells(sums, columns, to.row(index, y));
    };
    const int first = p == 0 ? luma_change : colour_change;
    add(first, [&](int r, int x) { return w[r][x] * w[r][x]; });
    const auto mean_square = [&](auto value, auto keep) {
      sum_rows(wide, sums, value);
      for (int c = 0; c < columns; ++c) squares[c] = 0;
      add_cells(sums, columns, squares);
      for (int c = 0; c < columns; ++c) keep(c, squares[c]);
    };
    float* const of_mean = to.row(first + 1, y);
    mean_square([&](int r, int x) { return w[r][x]; },
                [&](int c, float mean) { of_mean[c] += mean * mean; });
    const auto along = [&](int r, int x) { return w[r][x + 1] - w[r][x]; };
    const auto across = [&](int r, int x) { return w[r + 1][x] - w[r][x]; };
    const auto slope = [&](int r, int x) { return s[r][x + 1] - s[r][x]; };
    const auto fall = [&](int r, int x) { return s[r + 1][x] - s[r][x]; };
    float* const horizontal = squares + stride;
    float* const vertical = horizontal + stride;
    for (int c = 0; c < columns; ++c) horizontal[c] = vertical[c] = 0;
    sum_rows(wide, sums, [&](int r, int x) { return along(r, x) * along(r, x); });
    add_cells(sums, columns, horizontal);
    sum_rows(wide, sums, [&](int r, int x) { return across(r, x) * across(r, x); });
    add_cells(sums, columns, vertical);
    float* const differences = to.row(first + 2, y);
    for (int c = 0; c < columns; ++c) differences[c] += horizontal[c] + vertical[c];
    add(first + 3,
        [&](int r, int x) { return slope(r, x) * slope(r, x) + fall(r, x) * fall(r, x); });
    add(first + 4,
        [&](int r, int x) { return along(r, x) * slope(r, x) + across(r, x) * fall(r, x); });
    if (p > 0) continue;
    float* const turned = to.row(turned_along, y);
    for (int c = 0; c < columns; ++c) turned[c] = horizontal[c] - vertical[c];
    add(turned_along + 1, [&](int r, int x) { return along(r, x) * across(r, x); });
    float* const twice = to.row(turned_along + 1, y);
    for (int c = 0; c < columns; ++c) twice[c] *= 2;
    float *const bright = to.row(brightness, y), *const square = to.row(brightness + 1, y);
    mean_square([&](int r, int x) { return s[r][x]; },
                [&](int c, float mean) {
                  bright[c] = mean;
                  square[c] = mean * mean;
                });
    for (int i = 0; i < 2; ++i) {
      const int lag = lags[i];
      add(lagged + 2 * i, [&](int r, int x) { return w[r][x] * w[r][x + lag]; });
      add(lagged + 2 * i + 1, [&](int r, int x) { return w[r][x] * w[r + lag][x]; });
    }
  }
  if (planes == 1) {
    for (int i = 0; i < 5; ++i) {
      const float* from = to.row(i, y);
      float* out = to.row(colour_change + i, y);
      for (int c = 0; c < columns; ++c) out[c] = colour_of_grey * from[c];
    }
  }
  // Clipped pixels and saturation.
  float* const ends = pixels;
  float* const spread = pixels + 4 * stride;
  for (int r = 0; r < cell_edge; ++r) {
    const std::ptrdiff_t place = lesser(cell_edge * y + r, noisy.height - 1);
    const float* before = noisy.data + place * noisy.row;
    const float* after = denoised.data + place * denoised.row;
    float* const end = ends + static_cast<std::size_t>(r) * stride;
    float* const range = spread + static_cast<std::size_t>(r) * stride;
    if (planes == 1) {
      for (int x = 0; x < noisy.width; ++x) {
        const float value = before[x] * white;
        end[x] = value <= 0 || value >= white ? 1.0F : 0.0F;
        range[x] = 0;
      }
    } else {
      for (int x = 0; x < noisy.width; ++x) {
        const float a = before[3 * x] * white, b = before[3 * x + 1] * white,
                    c = before[3 * x + 2] * white;
        const float low = lesser(lesser(a, b), c), high = greater(greater(a, b), c);
        end[x] = low <= 0 || high >= white ? 1.0F : 0.0F;
        const float d = after[3 * x] * white, e = after[3 * x + 1] * white,
                    f = after[3 * x + 2] * white;
        range[x] = greater(greater(d, e), f) - lesser(lesser(d, e), f);
      }
    }
    for (int x = noisy.width; x < wide; ++x) {
      end[x] = end[noisy.width - 1];
      range[x] = range[noisy.width - 1];
    }
  }
  sum_rows(wide, sums, [&](int r, int x) {
    return ends[static_cast<std::size_t>(r) * stride + static_cast<std::size_t>(x)];
  });
  add_cells(sums, columns, to.row(clipped, y));
  sum_rows(wide, sums, [&](int r, int x) {
    return spread[static_cast<std::size_t>(r) * stride + static_cast<std::size_t>(x)];
  });
  add_cells(sums, columns, to.row(saturation, y));
}

// ---- sums over squares of cells ----------------------------------------------------------------

// Sums over the square around every cell of row y, as far as it lies in the window.
INVDN_INLINE void box_row(const Statistics& from, int index, int y, int rows, int columns,
                          int radius, float* lines, float* to) {
  const float* here = from.row(index, y);
  for (int c = 0; c < columns; ++c) lines[c] = here[c];
  for (int d = 1; d <= radius; ++d) {
    if (y >= d) {
      const float* above = from.row(index, y - d);
      for (int c = 0; c < columns; ++c) lines[c] += above[c];
    }
    if (y + d < rows) {
      const float* below = from.row(index, y + d);
      for (int c = 0; c < columns; ++c) lines[c] += below[c];
    }
  }
  for (int c = 0; c < columns; ++c) to[c] = lines[c];
  for (int d = 1; d <= radius; ++d) {
    for (int c = d; c < columns; ++c) to[c] += lines[c - d];
    for (int c = 0; c + d < columns; ++c) to[c] += lines[c + d];
  }
}

// How many cells the square holds; whole numbers, so any order of sums gives them.
INVDN_INLINE void box_numbers(int y, int rows, int columns, int radius, float* to) {
  const int high = lesser(y, radius) + 1 + lesser(rows - 1 - y, radius);
  for (int c = 0; c < columns; ++c) {
    to[c] = static_cast<float>(high * (lesser(c, radius) + 1 + lesser(columns - 1 - c, radius)));
  }
}

// ---- layers ------------------------------------------------------------------------------------

// to[units][column] = max(inputs[count][column] * weights[count][units] + bias, 0) of some columns.
template <int Units>
INVDN_INLINE void layer(const float* inputs, std::size_t stride, int count, const float* weights,
                        const float* bias, float* to, std::size_t columns) {
  constexpr int at_once = 4;
  for (int unit = 0; unit < Units; unit += at_once) {
    Wide sums[at_once];
    INVDN_UNROLL
    for (int i = 0; i < at_once; ++i) fill(bias[unit + i], sums[i]);
    for (int k = 0; k < count; ++k) {
      const Wide input = loaded<Wide>(inputs + static_cast<std::size_t>(k) * stride);
      INVDN_UNROLL
      for (int i = 0; i < at_once; ++i) {
        sums[i] = multiply_add(set1<Wide>(weights[k * Units + unit + i]), input, sums[i]);
      }
    }
    INVDN_UNROLL
    for (int i = 0; i < at_once; ++i) {
      store(to + static_cast<std::size_t>(unit + i) * columns, max(sums[i], set1<Wide>(0.0F)));
    }
  }
}

INVDN_INLINE void run_layers(const float* features, std::size_t line, int columns,
                             const ShareLayers& layers, double* to) {
  float first[share_units * Wide::width], second[share_units * Wide::width];
  for (int c = 0; c < columns; c += Wide::width) {
    layer<share_units>(features + c, line, share_features, layers.first, layers.first_bias, first,
                       Wide::width);
    layer<share_units>(first, Wide::width, share_units, layers.second, layers.second_bias, second,
                       Wide::width);
    for (int i = 0; i < lesser(Wide::width, columns - c); ++i) {
      for (int share = 0; share < 2; ++share) {
        double value = layers.last_bias[share];
        for (int k = 0; k < share_units; ++k) {
          value += static_cast<double>(second[k * Wide::width + i]) * layers.last[2 * k + share];
        }
        to[2 * (c + i) + share] = value;
      }
    }
  }
}

// Piecewise linear between given places, constant beyond them.
INVDN_INLINE double interpolated(double x, int count, const double* places, const double* values) {
  if (!(x > places[0])) return values[0];
  if (x >= places[count - 1]) return values[count - 1];
  int i = 0;
  while (x >= places[i + 1]) ++i;
  return (values[i + 1] - values[i]) / (places[i + 1] - places[i]) * (x - places[i]) + values[i];
}

// ---- shares ------------------------------------------------------------------------------------

constexpr int extra_smooth = statistics_planes;  // and its products with five statistics
constexpr int weighted[] = {0, 2, 1, 5, 7};
constexpr int coarse_means[] = {3, 8, 12, 13};
constexpr int own_energies[] = {0, 5, 3};
constexpr int clipped_radii[] = {1, 5};

void logits(const Window& noisy, const Window& denoised, const PhotographNoise& noise,
            const ShareLayers& layers, double* cells, float* scratch) {
  const int rows = cells_of(noisy.height), columns = cells_of(noisy.width);
  const std::size_t line = cell_row(noisy.width);
  const Statistics stats{scratch, line * static_cast<std::size_t>(rows), line};
  float* const features = scratch + (statistics_planes + 6) * stats.plane;
  float* next = features + share_features * line;
  const auto take = [&] {
    float* const taken = next;
    next += line;
    return taken;
  };
  float* const lines = take();
  float* const number = take();
  float* means[18];
  for (float*& mean : means) mean = take();
  float* const pixels = features + (share_features + 64) * line;
  for (int y = 0; y < rows; ++y) measure_row(noisy, denoised, y, stats, pixels);
  const auto mean_row = [&](int index, int y, int radius, float* to) {
    box_row(stats, index, y, rows, columns, radius, lines, to);
    for (int c = 0; c < columns; ++c) to[c] /= number[c];
  };
  for (int y = 0; y < rows; ++y) {
    box_numbers(y, rows, columns, radii[0], number);
    for (const int index : coarse_means) mean_row(index, y, radii[0], means[index]);
    float* const smooth = stats.row(extra_smooth, y);
    for (int c = 0; c < columns; ++c) {
      const float coarse = means[13][c] - means[12][c] * means[12][c];
      const float all = means[3][c] + means[8][c] + greater(coarse, 0.0F) + 1;
      smooth[c] = 1 / (all * all);
    }
    for (int i = 0; i < 5; ++i) {
      const float* plane = stats.row(weighted[i], y);
      float* const product = stats.row(extra_smooth + 1 + i, y);
      for (int c = 0; c < columns; ++c) product[c] = smooth[c] * plane[c];
    }
  }
  for (int y = 0; y < rows; ++y) {
    float* feature = features;
    const auto give = [&](auto value) {
      float* const to = feature;
      for (int c = 0; c < columns; ++c) to[c] = value(c);
      feature += line;
    };
    for (const int radius : radii) {
      box_numbers(y, rows, columns, radius, number);
      for (int i = 0; i < 18; ++i) mean_row(i, y, radius, means[i]);
      for (const int first : firsts) {
        for (int i = 0; i < 4; ++i) {
          const float* const mean = means[first + i];
          give([&](int c) { return log_energy(mean[c]); });
        }
      }
      for (const int first : firsts) {
        const float *const both = means[first + 4], *const change = means[first + 2],
                           *const result = means[first + 3];
        give([&](int c) { return both[c] / sqrtf(change[c] * result[c] + 0.01F); });
      }
      const float *const energy = means[0], *const differences = means[2];
      const float *const turn = means[turned_along], *const twist = means[turned_along + 1];
      give([&](int c) {
        return sqrtf(turn[c] * turn[c] + twist[c] * twist[c]) / (differences[c] + 0.05F);
      });
      if (radius > radii[0]) {
        for (int i = lagged; i < lagged + 4; i += 2) {
          const float *const right = means[i], *const below = means[i + 1];
          give([&](int c) {
            const float all = energy[c] + 0.02F;
            return 0.5F * (right[c] / all + below[c] / all);
          });
          give([&](int c) {
            const float all = energy[c] + 0.02F;
            return fabsf(right[c] / all - below[c] / all);
          });
        }
      }
      if (radius < radii[2]) {
        const float *const mean = means[brightness], *const square = means[brightness + 1];
        give([&](int c) { return log_energy(square[c] - mean[c] * mean[c]); });
      }
    }
    for (const int index : own_energies) {
      const float* const plane = stats.row(index, y);
      give([&](int c) { return log_energy(plane[c]); });
    }
    float* const weight = means[0];
    box_row(stats, extra_smooth, y, rows, columns, radii[2], lines, weight);
    for (int i = 0; i < 5; ++i) {
      box_row(stats, extra_smooth + 1 + i, y, rows, columns, radii[2], lines, means[1]);
      give([&](int c) { return log_energy(means[1][c] / weight[c]); });
    }
    give([&](int c) { return log_energy(1 / sqrtf(weight[c] / number[c])); });
    const float* const bright = stats.row(brightness, y);
    give([&](int c) { return bright[c] / white; });
    for (const int radius : clipped_radii) {
      box_numbers(y, rows, columns, radius, number);
      mean_row(clipped, y, radius, means[1]);
      give([&](int c) { return means[1][c]; });
    }
    const float* const range = stats.row(saturation, y);
    give([&](int c) { return range[c] / white; });
    for (const float value : noise.numbers) give([&](int) { return value; });
    const double* const of_brightness[] = {noise.colour, noise.luma};
    for (const double* values : of_brightness) {
      give([&](int c) {
        const auto there = static_cast<float>(
            interpolated(static_cast<double>(bright[c]), noise.places, noise.brightness, values));
        return log_energy(there * there);
      });
    }
    give([&](int) { return noise.level; });
    give([&](int) { return noise.correlation; });
    for (int i = 0; i < share_features; ++i) {
      float* const values = features + static_cast<std::size_t>(i) * line;
      const float mean = layers.mean[i], spread = layers.spread[i];
      for (int c = 0; c < columns; ++c) {
        values[c] = greater(lesser((values[c] - mean) / spread, 5.0F), -5.0F);
      }
    }
    double* const to = cells + static_cast<std::size_t>(y) * static_cast<std::size_t>(2 * columns);
    run_layers(features, line, columns, layers, to);
  }
  // Where the noisy picture does not vary at all, nothing is taken; its differences are those of
  // the change and of the result together.
  for (int y = 0; y < rows; ++y) {
    float* const varies = stats.row(extra_smooth, y);
    for (int c = 0; c < columns; ++c) varies[c] = 0;
    for (const int first : firsts) {
      const float *const change = stats.row(first + 2, y), *const result = stats.row(first + 3, y),
                         *const both = stats.row(first + 4, y);
      for (int c = 0; c < columns; ++c) varies[c] += change[c] + result[c] + 2 * both[c];
    }
    for (int c = 0; c < columns; ++c) varies[c] = greater(varies[c], 0.0F);
  }
  for (int y = 0; y < rows; ++y) {
    box_row(stats, extra_smooth, y, rows, columns, radii[0], lines, means[0]);
    double* const to = cells + static_cast<std::size_t>(y) * static_cast<std::size_t>(2 * columns);
    for (int c = 0; c < columns; ++c) {
      if (means[0][c] < even_energy) to[2 * c] = to[2 * c + 1] = -HUGE_VAL;
    }
  }
}

void bend(const double* from, std::size_t count, double towards_noise, float* to) {
  for (std::size_t i = 0; i < count; ++i) {
    const double share = (1 + 2 * beyond) / (1 + exp(-from[i] - towards_noise)) - beyond;
    to[i] = static_cast<float>(share < 0 ? 0.0 : share > 1 ? 1.0 : share);
  }
}

void to_pixels(const float* cells, int height, int width, float* to) {
  const int rows = cells_of(height), columns = cells_of(width);
  const std::ptrdiff_t line = 2 * columns;
  // Of the pixel from the centre of its cell, in cells.
  constexpr float far_of[] = {0.375F, 0.125F, 0.125F, 0.375F};
  for (int y = 0; y < height; ++y) {
    const int row = y / cell_edge, place = y % cell_edge;
    const int other = place < 2 ? greater(row - 1, 0) : lesser(row + 1, rows - 1);
    const float *const here = cells + row * line, *const beside = cells + other * line;
    const float far = far_of[place], near = 1 - far;
    const auto at = [&](int c, int share) {
      return here[2 * c + share] * near + beside[2 * c + share] * far;
    };
    for (int c = 0; c < columns; ++c) {
      const int left = greater(c - 1, 0), right = lesser(c + 1, columns - 1);
      for (int share = 0; share < 2; ++share) {
        const float middle = at(c, share), before = at(left, share), after = at(right, share);
        for (int i = 0; i < lesser(cell_edge, width - cell_edge * c); ++i) {
          const float share_far = far_of[i];
          to[2 * (cell_edge * c + i) + share] =
              middle * (1 - share_far) + (i < 2 ? before : after) * share_far;
        }
      }
    }
    to += 2 * width;
  }
}

// ---- dithering ---------------------------------------------------------------------------------

constexpr int reach = 2;              // pixels around that must be smooth
constexpr float smooth_range = 1.5F;  // steps of 8 bits
constexpr float amplitude = 0.75F;

// Interleaved gradient noise; from: Jimenez, SIGGRAPH 2014.
INVDN_INLINE float pattern(double down, long column) {
  const double along = 0.06711056 * static_cast<double>(column);
  const double sum = down + along;
  const double noise = 52.9829189 * (sum - floor(sum));
  const double rest = noise - floor(noise);
  return static_cast<float>(rest < 1 - 1e-6 ? rest : 1 - 1e-6);
}

long dither(const Window& clean, const Window& blended, const Window& noisy, const Window& denoised,
            int top, int left, long row, long column, float* to, float* scratch) {
  const int width = denoised.width, channels = denoised.channels, line = width * channels;
  const int colours = clean.channels;
  float* low[2 * reach + 1];
  float* high[2 * reach + 1];
  for (int i = 0; i <= 2 * reach; ++i) {
    low[i] = scratch + static_cast<std::size_t>(2 * i) * static_cast<std::size_t>(line);
    high[i] = low[i] + line;
  }
  // Least and most of the five pixels along a row of the window, into place y % 5.
  const auto range_row = [&](int y) {
    const float* from = denoised.data + y * denoised.row;
    float *const least = low[y % 5], *const most = high[y % 5];
    const auto at = [&](int x, int c) {
      float a = from[x * channels + c] * white, b = a;
      for (int d = -reach; d <= reach; ++d) {
        const float value = from[greater(0, lesser(width - 1, x + d)) * channels + c] * white;
        a = lesser(a, value);
        b = greater(b, value);
      }
      least[x * channels + c] = a;
      most[x * channels + c] = b;
    };
    const int edge = lesser(reach, width);
    for (int x = 0; x < edge; ++x) {
      for (int c = 0; c < channels; ++c) at(x, c);
    }
    for (int i = edge * channels; i < line - reach * channels; ++i) {
      float a = from[i - 2 * channels] * white, b = a;
      for (int d = -1; d <= reach; ++d) {
        const float value = from[i + d * channels] * white;
        a = lesser(a, value);
        b = greater(b, value);
      }
      least[i] = a;
      most[i] = b;
    }
    for (int x = greater(edge, width - reach); x < width; ++x) {
      for (int c = 0; c < channels; ++c) at(x, c);
    }
  };
  float* const span = scratch + static_cast<std::size_t>(10) * static_cast<std::size_t>(line);
  long found = 0;
  int known = greater(0, top - reach);
  for (int y = 0; y < clean.height; ++y) {
    const int at = top + y;
    for (; known <= lesser(denoised.height - 1, at + reach); ++known) range_row(known);
    const int first = greater(0, at - reach), last = lesser(denoised.height - 1, at + reach);
    for (int i = 0; i < line; ++i) {
      float a = low[first % 5][i], b = high[first % 5][i];
      for (int other = first + 1; other <= last; ++other) {
        a = lesser(a, low[other % 5][i]);
        b = greater(b, high[other % 5][i]);
      }
      span[i] = b - a;
    }
    const float* const result = clean.data + y * clean.row;
    const float* const mixed = blended.data + y * blended.row;
    const float* const before = noisy.data + at * noisy.row + left * channels;
    const float* const after = denoised.data + at * denoised.row + left * channels;
    const double down = 0.00583715 * static_cast<double>(row + y);
    for (int x = 0; x < clean.width; ++x) {
      bool chosen = true;
      float energy = 0, made = 0;
      for (int c = 0; c < channels; ++c) {
        const int i = x * channels + c;
        chosen &= span[left * channels + i] < smooth_range;
        const float change = after[i] - before[i];
        energy += change * change;
        made += change * (mixed[i] - before[i]);
      }
      chosen &= made > 0.5F * energy;
      const float added = chosen ? amplitude * pattern(down, column + x) : 0.0F;
      for (int c = 0; c < colours; ++c) {
        const float value = result[x * colours + c], level = value * white;
        const bool inside = chosen && level >= 0.5F && level <= white - 0.5F;
        to[x * colours + c] = inside ? floorf(level + (1 - amplitude) / 2 + added) / white : value;
        found += inside;
      }
    }
    to += clean.width * colours;
  }
  return found;
}

}  // namespace

extern const PixelWork pixel_work;
const PixelWork pixel_work = {logits, bend, to_pixels, dither};

}  // namespace invdn::INVDN_TARGET
