// The Python module: networks, encoders and decoders over numpy arrays. What is checked here cannot
// be got wrong beyond; the messages are for programmers, and the engine in Python speaks to people.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

#include "streams.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using Array = nb::ndarray<const float, nb::numpy, nb::device::cpu>;
using Result = nb::ndarray<float, nb::numpy, nb::device::cpu>;

constexpr int longest_side = 1 << 20;

// One caller at a time, in the order of their coming.
class Queue {
 public:
  // Nobody, where this is a forked copy: those who stood here live on in the parent only. Called
  // with the interpreter's lock.
  void notice_fork() {
    if (process_ == invdn::current_process()) return;
    process_ = invdn::current_process();
    new (&mutex_) std::mutex();
    new (&turn_) std::condition_variable();
    next_ = serving_ = 0;
  }
  void enter() {
    std::unique_lock lock(mutex_);
    const unsigned long ticket = next_++;
    turn_.wait(lock, [&] { return serving_ == ticket; });
  }
  void leave() {
    {
      const std::lock_guard lock(mutex_);
      ++serving_;
    }
    turn_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable turn_;
  unsigned long next_ = 0, serving_ = 0;
  long process_ = invdn::current_process();
};

class Turn {
 public:
  explicit Turn(Queue& queue) : queue_(queue) { queue_.enter(); }
  ~Turn() { queue_.leave(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Queue& queue_;
};

// Lets Ctrl-C through, ten times a second. Called without the interpreter's lock.
std::function<void()> signals() {
  using Clock = std::chrono::steady_clock;
  return [next = Clock::now()]() mutable {
    if (Clock::now() < next) return;
    next = Clock::now() + std::chrono::milliseconds(100);
    const nb::gil_scoped_acquire held;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  };
}

void require(bool holds, const char* message) {
  if (!holds) throw std::invalid_argument(message);
}

invdn::View view(const Array& array) {
  const auto last = array.ndim() - 1;
  return {array.data(), array.stride(last - 2), array.stride(last - 1), array.stride(last)};
}

invdn::Target target(const Result& array) {
  const auto last = array.ndim() - 1;
  require(array.size() == 0 || array.stride(last) == 1 || array.shape(last) == 1,
          "a result's rows must be contiguous");
  return {array.data(), array.stride(last - 2), array.stride(last - 1)};
}

bool is(const Array& array, std::initializer_list<int> shape) {
  if (array.ndim() != shape.size()) return false;
  std::size_t i = 0;
  for (const int size : shape) {
    if (array.shape(i++) != static_cast<std::size_t>(size)) return false;
  }
  return true;
}

bool is(const Result& array, std::initializer_list<int> shape) { return is(Array(array), shape); }

int rows_of(const Array& array) {
  require(array.ndim() >= 3, "an array must be (..., channels, rows, columns)");
  return static_cast<int>(array.shape(array.ndim() - 2));
}

constexpr std::pair<const char*, invdn::Precision> precisions[] = {
    {"float32", invdn::Precision::float32},
    {"bfloat16", invdn::Precision::bfloat16},
    {"mixed_inputs", invdn::Precision::mixed_inputs},
    {"mixed", invdn::Precision::mixed},
    {"bfloat16x3", invdn::Precision::bfloat16x3},
};

invdn::Precision precision_of(const std::string& name) {
  for (const auto& [known, precision] : precisions) {
    if (name == known) return precision;
  }
  throw std::invalid_argument("there is no such precision");
}

// A network with its kernels and threads.
class Model {
 public:
  Model(const std::vector<int>& blocks, int features, int channels,
        const std::vector<Array>& tensors, int threads, const std::string& instructions,
        const std::string& precision)
      : kernels_(invdn::find_kernels(instructions.c_str(), precision_of(precision))),
        network_(blocks, features, channels, checked(blocks, features, channels, tensors),
                 precision_of(precision),
                 kernels_ == nullptr ? invdn::Halves::none : kernels_->halves),
        pool_((require(threads >= 1 && threads <= 1024, "threads must be from 1 to 1024"), threads),
              network_.scratch()) {
    require(kernels_ != nullptr, "this processor has no such instructions for this precision");
  }

  const char* instructions() const { return kernels_->name; }
  int threads() const { return pool_.threads(); }
  const invdn::Network& network() const { return network_; }
  invdn::Machine machine() { return {kernels_, &pool_, signals()}; }
  Queue& queue() { return queue_; }

  void check(int height, int width) const {
    const int scale = network_.scale();
    require(height > 0 && width > 0 && height % scale == 0 && width % scale == 0,
            "height and width must be positive multiples of the network's scale");
    require(height <= longest_side && width <= longest_side, "a side has more than 2^20 pixels");
  }

 private:
  static std::vector<invdn::BlockTensors> checked(const std::vector<int>& blocks, int features,
                                                  int channels, const std::vector<Array>& tensors) {
    require(!blocks.empty() && blocks.size() <= 4 && features >= 1 && features <= 1024 &&
                channels >= 1 && channels <= 16,
            "there is no such architecture here");
    std::vector<invdn::BlockTensors> result;
    auto next = tensors.begin();
    const auto take = [&](int outputs, int inputs) {
      require(tensors.end() - next >= 2, "tensors are missing");
      const Array& kernels = *next++;
      const Array& biases = *next++;
      require(is(kernels, {outputs, inputs, 3, 3}) && is(biases, {outputs}),
              "a tensor has the wrong shape");
      require(contiguous(kernels) && contiguous(biases), "a tensor is not contiguous");
      return invdn::Tensors{kernels.data(), biases.data()};
    };
    const auto subnet = [&](int inputs, int outputs) {
      const invdn::Tensors first = take(features, inputs), second = take(features, features);
      return invdn::Subnet{first, second, take(outputs, inputs + features)};
    };
    int all = channels;
    for (const int count : blocks) {
      require(count >= 1, "a level must have a block");
      all *= 4;
      for (int i = 0; i < count; ++i) {
        const invdn::Subnet f = subnet(all - channels, channels);
        const invdn::Subnet g = subnet(channels, all - channels);
        result.push_back({f, g, subnet(channels, all - channels)});
      }
    }
    require(next == tensors.end(), "there are tensors too many");
    return result;
  }

  static bool contiguous(const Array& array) {
    std::int64_t step = 1;
    for (std::size_t i = array.ndim(); i-- > 0;) {
      if (array.shape(i) != 1 && array.stride(i) != step) return false;
      step *= static_cast<std::int64_t>(array.shape(i));
    }
    return true;
  }

  const invdn::Kernels* kernels_;
  invdn::Network network_;
  invdn::Pool pool_;
  Queue queue_;
};

// What an encoder and a decoder share: turns, and the end after an error, which leaves rows undone.
class Guard {
 public:
  void check() const { require(!broken_, "an earlier push did not end"); }

  template <class Work>
  void run(Model& model, const Work& work) {
    model.queue().notice_fork();
    const nb::gil_scoped_release released;
    const Turn turn(model.queue());
    check();
    broken_ = true;
    work();
    broken_ = false;
  }

 private:
  bool broken_ = false;
};

class Encoding {
 public:
  Encoding(Model& model, int height, int width, int piece)
      : model_(model),
        width_(width),
        piece_((model.check(height, width), piece)),
        encoder_(model.network(), model.machine(), height, width, piece) {}

  int finished(int pushed) const {
    require(pushed >= 0 && pushed <= encoder_.height(), "there are not so many rows");
    return encoder_.finished(pushed);
  }

  void push(const Array& noisy, const Result& low) {
    guard_.check();
    const int rows = rows_of(noisy), scale = model_.network().scale();
    const int channels = model_.network().channels(), pushed = encoder_.pushed();
    require(is(noisy, {channels, rows, width_}) && rows > 0 && rows % scale == 0,
            "noisy must be (channels, rows, width) with a multiple of the scale of rows");
    require(rows <= encoder_.height() - pushed, "there are more rows than the picture has");
    require(rows <= piece_ && (piece_ < encoder_.height() || rows == encoder_.height()),
            "there are not as many rows as were agreed on");
    const int out = encoder_.finished(pushed + rows) - encoder_.finished(pushed);
    require(is(low, {channels, out, width_ / scale}), "low must be (channels, finished, width)");
    const invdn::Target to = target(low);
    guard_.run(model_, [&] { encoder_.push(view(noisy), rows, to); });
  }

 private:
  Model& model_;
  int width_;
  int piece_;
  invdn::Encoder encoder_;
  Guard guard_;
};

class Decoding {
 public:
  Decoding(Model& model, int height, int width, int draws, int piece)
      : model_(model),
        width_(width),
        draws_(draws),
        piece_((model.check(height, width),
                require(draws >= 1 && piece >= 1, "draws and piece must be 1 or more"), piece)),
        decoder_(model.network(), model.machine(), height, width, draws, piece) {}

  int finished(int pushed) const {
    require(pushed >= 0 && pushed <= decoder_.low_height(), "there are not so many rows");
    return decoder_.finished(pushed);
  }

  void push(const Array& low, const std::vector<Array>& latents,
            const std::vector<Result>& images) {
    guard_.check();
    const invdn::Network& network = model_.network();
    const int rows = rows_of(low), pushed = decoder_.pushed(), width = width_ / network.scale();
    require(is(low, {network.channels(), rows, width}) && rows > 0,
            "low must be (channels, rows, width)");
    require(rows <= decoder_.low_height() - pushed, "there are more rows than the picture has");
    require(rows <= piece_ && (piece_ < decoder_.low_height() || rows == decoder_.low_height()),
            "there are not as many rows as were agreed on");
    const int out = decoder_.finished(pushed + rows) - decoder_.finished(pushed);
    const auto draws = static_cast<std::size_t>(draws_);
    require(latents.size() == draws && images.size() == draws,
            "one latent and image for each draw");
    std::vector<invdn::View> views;
    std::vector<invdn::Target> targets;
    for (std::size_t draw = 0; draw < draws; ++draw) {
      require(is(latents[draw], {network.latent_channels(), rows, width}),
              "latent must be (channels, rows, width)");
      require(is(images[draw], {network.channels(), out, width_}),
              "image must be (channels, finished, width)");
      views.push_back(view(latents[draw]));
      targets.push_back(target(images[draw]));
    }
    guard_.run(model_, [&] { decoder_.push(view(low), views.data(), rows, targets.data()); });
  }

 private:
  Model& model_;
  int width_;
  int draws_;
  int piece_;
  invdn::Decoder decoder_;
  Guard guard_;
};

double multiply_add_rate(const std::string& instructions, double seconds) {
  const invdn::Kernels* kernels = invdn::find_kernels(instructions.c_str());
  require(kernels != nullptr, "this processor does not know these instructions");
  const nb::gil_scoped_release released;
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  double operations = 0, taken = 0;
  do {
    operations += kernels->multiply_adds(100000);
    taken = std::chrono::duration<double>(Clock::now() - start).count();
  } while (taken < seconds);
  return operations / taken;
}

std::vector<std::string> instruction_sets(const std::string& precision) {
  std::vector<std::string> result;
  for (const char* name : {"amx", "avx512_bf16", "avx512", "avx2", "neon_bf16", "neon", "plain"}) {
    if (invdn::find_kernels(name, precision_of(precision)) != nullptr) result.emplace_back(name);
  }
  return result;
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "Encode and decode on the CPU; used by invdn.engines.native_engine.";
  module.def("instruction_sets", instruction_sets, "precision"_a = "float32",
             "Names of the kernels that this processor can run, the fastest first.");
  module.def("multiply_add_rate", multiply_add_rate, "instructions"_a, "seconds"_a,
             "Floating-point operations a second of one thread, all of them multiply-adds.");
  nb::class_<Model>(module, "Model")
      .def(nb::init<const std::vector<int>&, int, int, const std::vector<Array>&, int,
                    const std::string&, const std::string&>(),
           "blocks"_a, "features"_a, "channels"_a, "tensors"_a, "threads"_a, "instructions"_a,
           "precision"_a = "float32")
      .def_prop_ro("instructions", &Model::instructions)
      .def_prop_ro("threads", &Model::threads);
  nb::class_<Encoding>(module, "Encoding")
      .def(nb::init<Model&, int, int, int>(), "model"_a, "height"_a, "width"_a, "piece"_a,
           nb::keep_alive<1, 2>())
      .def("finished", &Encoding::finished, "pushed"_a)
      .def("push", &Encoding::push, "noisy"_a, "low"_a.noconvert());
  nb::class_<Decoding>(module, "Decoding")
      .def(nb::init<Model&, int, int, int, int>(), "model"_a, "height"_a, "width"_a, "draws"_a,
           "piece"_a, nb::keep_alive<1, 2>())
      .def("finished", &Decoding::finished, "pushed"_a)
      .def("push", &Decoding::push, "low"_a, "latents"_a, "images"_a);
}
