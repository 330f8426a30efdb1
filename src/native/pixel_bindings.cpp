// The Python module of pixels.hpp, over numpy arrays. What is checked here cannot be got wrong
// beyond; invdn.inference calls it where it was built.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>

#include "buffer.hpp"
#include "pixels.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Array = nb::ndarray<const float, nb::numpy, nb::device::cpu>;
using Result = nb::ndarray<float, nb::numpy, nb::device::cpu, nb::c_contig>;
using Numbers = nb::ndarray<const float, nb::numpy, nb::device::cpu, nb::c_contig>;
using Spreads = nb::ndarray<const double, nb::numpy, nb::device::cpu, nb::c_contig, nb::ndim<1>>;

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

invdn::Window window(const Array& array) {
  require(array.ndim() == 3 && array.size() > 0, "a window must be (height, width, channels)");
  const auto channels = static_cast<std::int64_t>(array.shape(2));
  require(channels == 1 || channels == 3, "a window must have 1 or 3 channels");
  require((channels == 1 || array.stride(2) == 1) &&
              (array.shape(1) == 1 || array.stride(1) == channels),
          "the pixels of a row must lie close");
  return {array.data(), array.stride(0), static_cast<int>(array.shape(0)),
          static_cast<int>(array.shape(1)), static_cast<int>(channels)};
}

bool same_size(const invdn::Window& one, const invdn::Window& other) {
  return one.height == other.height && one.width == other.width;
}

const invdn::PixelWork& work_of(const std::string& instructions) {
  const invdn::PixelWork* work = invdn::find_pixel_work(instructions.c_str());
  require(work != nullptr, "this processor does not know these instructions");
  return *work;
}

void noise_shares(const Array& noisy, const Array& denoised, const Numbers& numbers,
                  const std::vector<Spreads>& spreads, double towards_noise,
                  const std::vector<Numbers>& layers, const Result& to,
                  const std::string& instructions) {
  constexpr std::size_t inputs = invdn::share_features, units = invdn::share_units;
  constexpr std::size_t sizes[] = {inputs,        inputs, inputs * units, units,
                                   units * units, units,  2 * units,      2};
  const invdn::PixelWork& work = work_of(instructions);
  const invdn::Window before = window(noisy), after = window(denoised);
  require(same_size(before, after) && before.channels == after.channels,
          "noisy and denoised must have the same shape");
  require(layers.size() == std::size(sizes), "these are not the layers");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    require(layers[i].size() == sizes[i], "a layer has the wrong size");
  }
  require(numbers.size() == invdn::photograph_numbers + 2 && spreads.size() == 3 &&
              spreads[0].size() > 0 && spreads[1].size() == spreads[0].size() &&
              spreads[2].size() == spreads[0].size(),
          "this is not what is known of a photograph");
  require(to.ndim() == 3 && to.shape(0) == static_cast<std::size_t>(before.height) &&
              to.shape(1) == static_cast<std::size_t>(before.width) && to.shape(2) == 2,
          "shares must be (height, width, 2)");
  invdn::PhotographNoise noise{};
  std::copy_n(numbers.data(), invdn::photograph_numbers, noise.numbers);
  noise.level = numbers.data()[invdn::photograph_numbers];
  noise.correlation = numbers.data()[invdn::photograph_numbers + 1];
  noise.places = static_cast<int>(spreads[0].size());
  noise.brightness = spreads[0].data();
  noise.colour = spreads[1].data();
  noise.luma = spreads[2].data();
  const invdn::ShareLayers trained{layers[0].data(), layers[1].data(), layers[2].data(),
                                   layers[3].data(), layers[4].data(), layers[5].data(),
                                   layers[6].data(), layers[7].data()};
  const nb::gil_scoped_release released;
  const invdn::Buffer scratch(invdn::share_scratch(before.height, before.width));
  const std::size_t count = 2 * static_cast<std::size_t>(invdn::cells_of(before.height)) *
                            static_cast<std::size_t>(invdn::cells_of(before.width));
  std::vector<double> logits(count);
  const invdn::Buffer cells(count);
  work.logits(before, after, noise, trained, logits.data(), scratch.data());
  work.bend(logits.data(), count, towards_noise, cells.data());
  work.to_pixels(cells.data(), before.height, before.width, to.data());
}

long dither(const Array& clean, const Array& blended, const Array& noisy, const Array& denoised,
            int top, int left, long row, long column, const Result& to,
            const std::string& instructions) {
  const invdn::PixelWork& work = work_of(instructions);
  const invdn::Window result = window(clean), mixed = window(blended), before = window(noisy),
                      after = window(denoised);
  require(same_size(before, after) && same_size(result, mixed) &&
              before.channels == after.channels && mixed.channels == before.channels,
          "the windows, or the cores, have not the same shape");
  require(top >= 0 && left >= 0 && top + result.height <= after.height &&
              left + result.width <= after.width && row >= 0 && column >= 0,
          "the core must lie in the window");
  require(to.ndim() == 3 && to.shape(0) == clean.shape(0) && to.shape(1) == clean.shape(1) &&
              to.shape(2) == clean.shape(2),
          "the result must have the core's shape");
  const nb::gil_scoped_release released;
  const invdn::Buffer scratch(invdn::dither_scratch(after.width, after.channels));
  return work.dither(result, mixed, before, after, top, left, row, column, to.data(),
                     scratch.data());
}

std::vector<std::string> instruction_sets() {
  std::vector<std::string> result;
  for (const char* name : {"avx2", "neon", "plain"}) {
    if (invdn::find_pixel_work(name) != nullptr) result.emplace_back(name);
  }
  return result;
}

}  // namespace

NB_MODULE(_pixels, module) {
  module.doc() = "Shares of noise and dithering; used by invdn.inference.";
  module.def("instruction_sets", instruction_sets,
             "Names of what this processor can run, the fastest first.");
  module.def("noise_shares", noise_shares, "noisy"_a, "denoised"_a, "numbers"_a, "spreads"_a,
             "towards_noise"_a, "layers"_a, "to"_a.noconvert(), "instructions"_a = "auto");
  module.def("dither", dither, "clean"_a, "blended"_a, "noisy"_a, "denoised"_a, "top"_a, "left"_a,
             "row"_a, "column"_a, "to"_a.noconvert(), "instructions"_a = "auto",
             "Returns how many values were rounded.");
}
