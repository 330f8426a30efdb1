// The engine for JavaScript: a C interface to networks, encoders and decoders, and rows in, rows out.
//
// Every call returns 0 or a handle; where one fails, `invdn_problem` says why. JavaScript checks sizes
// (src/browser/engine.js); what is checked here guards the memory.
#include <emscripten.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "streams.hpp"

// `Module.monitor` is asked between bands; what is not 0 ends the work.
EM_JS(int, invdn_monitor, (), { return Module["monitor"] ? Module["monitor"]() | 0 : 0; });

namespace {

constexpr int longest_side = 1 << 20;

struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped"; }
};

enum Status { done, stopped, no_memory, invalid };

std::string& problem() {
  static std::string words;
  return words;
}

// Runs what may throw, which JavaScript could not read.
template <class Work>
Status guarded(const Work& work) {
  try {
    work();
    return done;
  } catch (const Stopped&) {
    problem() = "stopped";
    return stopped;
  } catch (const std::bad_alloc&) {
    problem() = "out of memory";
    return no_memory;
  } catch (const std::length_error&) {  // a vector of more than the address space
    problem() = "out of memory";
    return no_memory;
  } catch (const std::exception& error) {
    problem() = error.what();
    return invalid;
  }
}

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

void ask() {
  if (invdn_monitor() != 0) throw Stopped();
}

struct Model {
  const invdn::Kernels* kernels;
  invdn::Network network;
  invdn::Pool pool;

  invdn::Machine machine() { return {kernels, &pool, ask}; }
};

// Cuts the numbers of a weights file into tensors: block by block F, G and H, each with its three
// convolutions, each of those its kernels and its biases.
std::vector<invdn::BlockTensors> cut(const std::vector<int>& blocks, int features, int channels,
                                     const float* next, const float* end) {
  const auto take = [&](int outputs, int inputs) {
    const std::ptrdiff_t kernels = std::ptrdiff_t{9} * outputs * inputs;
    require(end - next >= kernels + outputs, "weights are missing");
    const invdn::Tensors tensors{next, next + kernels};
    next += kernels + outputs;
    return tensors;
  };
  const auto subnet = [&](int inputs, int outputs) {
    const invdn::Tensors first = take(features, inputs), second = take(features, features);
    return invdn::Subnet{first, second, take(outputs, inputs + features)};
  };
  std::vector<invdn::BlockTensors> result;
  int all = channels;
  for (const int count : blocks) {
    require(count >= 1 && count <= 64, "there is no such architecture here");
    all *= 4;
    for (int i = 0; i < count; ++i) {
      const invdn::Subnet f = subnet(all - channels, channels);
      const invdn::Subnet g = subnet(channels, all - channels);
      result.push_back({f, g, subnet(channels, all - channels)});
    }
  }
  require(next == end, "there are weights too many");
  return result;
}

void check_size(const Model& model, int height, int width) {
  const int scale = model.network.scale();
  require(height > 0 && width > 0 && height % scale == 0 && width % scale == 0 &&
              height <= longest_side && width <= longest_side,
          "height and width must be multiples of the network's scale, up to 2^20");
}

struct Encoding {
  invdn::Encoder encoder;
  int width, piece, scale;
};

struct Decoding {
  invdn::Decoder decoder;
  int width, piece, scale;
};

}  // namespace

extern "C" {

EMSCRIPTEN_KEEPALIVE const char* invdn_problem() { return problem().c_str(); }

// weights: `count` floats; blocks: of each of `levels` levels. 0 where it fails.
EMSCRIPTEN_KEEPALIVE Model* invdn_open(const float* weights, int count, const int* blocks, int levels,
                                       int features, int channels, int threads,
                                       const char* instructions) {
  Model* model = nullptr;
  guarded([&] {
    require(levels >= 1 && levels <= 4 && features >= 1 && features <= 1024 && channels >= 1 &&
                channels <= 16 && threads >= 1 && threads <= 1024,
            "there is no such architecture here");
    const invdn::Kernels* kernels = invdn::find_kernels(instructions);
    require(kernels != nullptr, "this module does not know these instructions");
    const std::vector<int> counts(blocks, blocks + levels);
    invdn::Network network(counts, features, channels,
                           cut(counts, features, channels, weights, weights + count));
    const std::size_t scratch = network.scratch();
    model = new Model{kernels, std::move(network), {threads, scratch}};
  });
  return model;
}

EMSCRIPTEN_KEEPALIVE void invdn_close(Model* model) { delete model; }
EMSCRIPTEN_KEEPALIVE const char* invdn_instructions(const Model* model) {
  return model->kernels->name;
}

// piece: most rows at once; `height` for all at once. 0 where it fails.
EMSCRIPTEN_KEEPALIVE Encoding* invdn_encoder(Model* model, int height, int width, int piece) {
  Encoding* encoding = nullptr;
  guarded([&] {
    check_size(*model, height, width);
    const int scale = model->network.scale();
    require(piece > 0 && piece <= height && piece % scale == 0, "there is no such piece");
    encoding = new Encoding{{model->network, model->machine(), height, width, piece}, width, piece, scale};
  });
  return encoding;
}

// Rows of `low` that are out once this many rows are in.
EMSCRIPTEN_KEEPALIVE int invdn_encoder_finished(const Encoding* encoding, int pushed) {
  return encoding->encoder.finished(pushed);
}

// noisy: planes of `rows` rows; low: planes of as many rows as this push finishes.
EMSCRIPTEN_KEEPALIVE int invdn_encode(Encoding* encoding, const float* noisy, int rows, float* low) {
  return guarded([&] {
    invdn::Encoder& encoder = encoding->encoder;
    const int pushed = encoder.pushed(), width = encoding->width, scale = encoding->scale;
    require(rows > 0 && rows % scale == 0 && rows <= encoding->piece &&
                rows <= encoder.height() - pushed,
            "there are not as many rows as were agreed on");
    const std::ptrdiff_t out = encoder.finished(pushed + rows) - encoder.finished(pushed);
    encoder.push({noisy, std::ptrdiff_t{rows} * width, width, 1}, rows,
                 {low, out * (width / scale), width / scale});
  });
}

EMSCRIPTEN_KEEPALIVE void invdn_encoder_close(Encoding* encoding) { delete encoding; }

// piece: most rows of `low` at once.
EMSCRIPTEN_KEEPALIVE Decoding* invdn_decoder(Model* model, int height, int width, int piece) {
  Decoding* decoding = nullptr;
  guarded([&] {
    check_size(*model, height, width);
    const int scale = model->network.scale();
    require(piece > 0 && piece <= height / scale, "there is no such piece");
    decoding = new Decoding{{model->network, model->machine(), height, width, 1, piece}, width, piece, scale};
  });
  return decoding;
}

// Rows of the picture that are out once this many rows of `low` are in.
EMSCRIPTEN_KEEPALIVE int invdn_decoder_finished(const Decoding* decoding, int pushed) {
  return decoding->decoder.finished(pushed);
}

// low, latent: planes of `rows` rows; image: planes of as many rows as this push finishes.
EMSCRIPTEN_KEEPALIVE int invdn_decode(Decoding* decoding, const float* low, const float* latent,
                                      int rows, float* image) {
  return guarded([&] {
    invdn::Decoder& decoder = decoding->decoder;
    const int pushed = decoder.pushed(), width = decoding->width, narrow = width / decoding->scale;
    require(rows > 0 && rows <= decoding->piece && rows <= decoder.low_height() - pushed,
            "there are not as many rows as were agreed on");
    const std::ptrdiff_t out = decoder.finished(pushed + rows) - decoder.finished(pushed);
    const std::ptrdiff_t plane = std::ptrdiff_t{rows} * narrow;
    const invdn::View latents[] = {{latent, plane, narrow, 1}};
    const invdn::Target images[] = {{image, out * width, width}};
    decoder.push({low, plane, narrow, 1}, latents, rows, images);
  });
}

EMSCRIPTEN_KEEPALIVE void invdn_decoder_close(Decoding* decoding) { delete decoding; }

}  // extern "C"
