// What happens to pixels beside the network (pixels.hpp) for JavaScript, a module of its own: it runs
// in the worker of the photographs, not in that of the network. src/browser/image/pixel_work.js calls it
// and checks the sizes. Every call returns 0, or 1 where there is too little memory.
#include <emscripten.h>

#include <algorithm>
#include <cstddef>
#include <new>

#include "buffer.hpp"
#include "pixels.hpp"

namespace {

const invdn::PixelWork& work() {
  static const invdn::PixelWork* const found = invdn::find_pixel_work("auto");
  return *found;
}

invdn::Window window(const float* data, int height, int width, int channels) {
  return {data, std::ptrdiff_t{width} * channels, height, width, channels};
}

template <class Work>
int guarded(const Work& task) {
  try {
    task();
    return 0;
  } catch (const std::bad_alloc&) {
    return 1;
  }
}

}  // namespace

extern "C" {

// known: the numbers of PhotographNoise, its level and correlation; spreads: brightness, colour and
// luma, `places` of each; layers: the arrays of ShareLayers one after the other.
EMSCRIPTEN_KEEPALIVE int invdn_noise_logits(const float* noisy, const float* denoised, int height,
                                            int width, int channels, const float* known,
                                            const double* spreads, int places, const float* layers,
                                            double* logits) {
  return guarded([&] {
    constexpr int inputs = invdn::share_features, units = invdn::share_units;
    const auto take = [&](int count) {
      const float* const taken = layers;
      layers += count;
      return taken;
    };
    invdn::PhotographNoise noise{};
    std::copy_n(known, invdn::photograph_numbers, noise.numbers);
    noise.level = known[invdn::photograph_numbers];
    noise.correlation = known[invdn::photograph_numbers + 1];
    noise.places = places;
    noise.brightness = spreads;
    noise.colour = spreads + places;
    noise.luma = spreads + 2 * places;
    invdn::ShareLayers trained{};
    trained.mean = take(inputs);
    trained.spread = take(inputs);
    trained.first = take(inputs * units);
    trained.first_bias = take(units);
    trained.second = take(units * units);
    trained.second_bias = take(units);
    trained.last = take(2 * units);
    trained.last_bias = take(2);
    const invdn::Buffer scratch(invdn::share_scratch(height, width));
    work().logits(window(noisy, height, width, channels), window(denoised, height, width, channels),
                  noise, trained, logits, scratch.data());
  });
}

EMSCRIPTEN_KEEPALIVE void invdn_bend(const double* logits, int count, double towards_noise,
                                     float* cells) {
  work().bend(logits, static_cast<std::size_t>(count), towards_noise, cells);
}

// clean, which becomes the result, blended and noisy: `count` rows, the first of which is row `top` of
// the photograph; denoised: `height` rows, `before` of them above those.
EMSCRIPTEN_KEEPALIVE int invdn_dither(float* clean, const float* blended, const float* noisy,
                                      int count, int top, const float* denoised, int height,
                                      int before, int width, int channels) {
  return guarded([&] {
    const invdn::Buffer scratch(invdn::dither_scratch(width, channels));
    // A window as high as that of the result; rows beyond the core are never read.
    const float* const above = noisy - std::ptrdiff_t{before} * width * channels;
    work().dither(window(clean, count, width, channels), window(blended, count, width, channels),
                  window(above, height, width, channels), window(denoised, height, width, channels),
                  before, 0, top, 0, clean, scratch.data());
  });
}

}  // extern "C"
