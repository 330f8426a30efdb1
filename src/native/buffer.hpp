// Zeroed floats on a cache line of their own.
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

namespace invdn {

class Buffer {
 public:
  Buffer() = default;

  // Throws std::bad_alloc where there is no memory for them.
  explicit Buffer(std::size_t count) : size_(count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(float) - line) {
      throw std::bad_alloc();
    }
    const std::size_t bytes = count * sizeof(float);
    data_.reset(static_cast<float*>(::operator new(bytes, std::align_val_t{line})));
    std::memset(data_.get(), 0, bytes);
  }

  float* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t line = 64;

  struct Free {
    void operator()(float* data) const { ::operator delete(data, std::align_val_t{line}); }
  };

  std::unique_ptr<float, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace invdn
