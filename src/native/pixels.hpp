// What happens to pixels beside the network: the shares of noise and dithering. The same functions
// in Python, invdn.inference.noise_shares and blending, say why; a test holds both together.
#pragma once

#include <cstddef>

namespace invdn {

constexpr int cell_edge = 4;
constexpr int statistics_planes = 20;
constexpr int share_features = 67;
constexpr int share_units = 32;
constexpr int photograph_numbers = 7;

// Rows of pixels: [height][width][channels], whose pixels lie close.
struct Window {
  const float* data;
  std::ptrdiff_t row;  // floats from one to the next
  int height, width, channels;
};

// What is known of a whole photograph: the describing numbers of noise_shares.py, the logarithm of
// its level's energy, the correlation, and the spreads of colour and luma by brightness.
struct PhotographNoise {
  float numbers[photograph_numbers];
  float level, correlation;
  int places;
  const double* brightness;
  const double* colour;
  const double* luma;
};

// [inputs][units] as they are stored; the first layer's inputs lack mean and spread.
struct ShareLayers {
  const float *mean, *spread;
  const float *first, *first_bias, *second, *second_bias, *last, *last_bias;
};

struct PixelWork {
  // Writes [rows of cells][columns of cells][2]; scratch holds share_scratch() floats.
  void (*logits)(const Window& noisy, const Window& denoised, const PhotographNoise& noise,
                 const ShareLayers& layers, double* cells, float* scratch);
  // Writes the shares that logits stand for, each of them moved towards noise.
  void (*bend)(const double* logits, std::size_t count, double towards_noise, float* cells);
  // Writes [height][width][2] between the centres of cells.
  void (*to_pixels)(const float* cells, int height, int width, float* to);
  // Writes `clean` with its smooth places rounded to whole levels; tells how many values those are.
  // The core begins at `top` and `left` of the windows and at `row` and `column` of the photograph.
  // scratch: dither_scratch() floats.
  long (*dither)(const Window& clean, const Window& blended, const Window& noisy,
                 const Window& denoised, int top, int left, long row, long column, float* to,
                 float* scratch);
};

constexpr int cells_of(int pixels) { return (pixels + cell_edge - 1) / cell_edge; }
// A row of cells, so that vectors may reach beyond its end.
constexpr std::size_t cell_row(int width) {
  return (static_cast<std::size_t>(cells_of(width)) + 15) / 16 * 16;
}
constexpr std::size_t share_scratch(int height, int width) {
  const std::size_t line = cell_row(width),
                    plane = line * static_cast<std::size_t>(cells_of(height));
  constexpr std::size_t planes = statistics_planes + 6;
  constexpr std::size_t lines = share_features + 64;
  const std::size_t pixels = static_cast<std::size_t>(width) + 3 * cell_edge + 16;
  return planes * plane + lines * line + 64 * pixels;
}
constexpr std::size_t dither_scratch(int width, int channels) {
  return 12 * static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
}

// The fastest that this processor can run, or those for the instruction set named.
const PixelWork* find_pixel_work(const char* instructions);

}  // namespace invdn
