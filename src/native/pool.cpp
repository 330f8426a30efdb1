#include "pool.hpp"

#include <chrono>
#include <new>

#if defined(_WIN32)
#include <process.h>
#else
#include <unistd.h>
#endif

namespace invdn {
namespace {

// How long a thread looks for news before it sleeps: as long as waking one takes on a slow day. The
// pieces of a small picture are over sooner than that.
constexpr std::chrono::microseconds patience{100};

// Whether the condition came true in that time; other programs may have the processor meanwhile.
template <typename Condition>
bool comes_soon(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  do {
    if (condition()) return true;
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  return condition();
}

}  // namespace

long current_process() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

Pool::Pool(int threads, std::size_t scratch) : threads_(threads) {
  for (int index = 0; index < threads_; ++index) scratch_.emplace_back(scratch);
}

Pool::~Pool() { stop(); }

void Pool::run(int count, const Work& work) {
  if (threads_ == 1 || count <= 1) {
    for (int piece = 0; piece < count; ++piece) work(piece, scratch_[0].data());
    return;
  }
  start();
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(workers_.size()));
    error_ = nullptr;
    ++round_;
  }
  begun_.notify_all();
  take_pieces(scratch_[0].data());
  const auto all_done = [this] { return busy_.load() == 0; };
  if (!comes_soon(all_done)) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, all_done);
  }
  if (error_) std::rethrow_exception(error_);
}

// Workers begin with the first work that they can share, and again after a fork, whose child has a
// copy of this object but none of the threads.
void Pool::start() {
  if (process_ == current_process()) return;
  if (process_ != 0) {
    for (auto& worker : workers_) new (&worker) std::thread();  // they live on in the parent only
    workers_.clear();
    new (&mutex_) std::mutex();
    new (&begun_) std::condition_variable();
    new (&ended_) std::condition_variable();
  }
  process_ = current_process();
  round_ = 0;
  workers_.reserve(static_cast<std::size_t>(threads_ - 1));
  try {
    for (int index = 1; index < threads_; ++index) {
      workers_.emplace_back([this, index] { serve(index); });
    }
  } catch (...) {  // the system gives no more threads: those that there are will do
  }
}

void Pool::stop() {
  if (process_ != current_process()) {
    for (auto& worker : workers_) new (&worker) std::thread();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  begun_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::serve(int index) {
  long seen = 0;
  const auto news = [&] { return stopping_.load() || round_.load() != seen; };
  for (;;) {
    if (!comes_soon(news)) {
      std::unique_lock lock(mutex_);
      begun_.wait(lock, news);
    }
    if (stopping_) return;
    seen = round_.load();
    take_pieces(scratch_[static_cast<std::size_t>(index)].data());
    if (busy_.fetch_sub(1) == 1) {
      const std::lock_guard lock(mutex_);  // the caller may be about to sleep
      ended_.notify_one();
    }
  }
}

void Pool::take_pieces(float* scratch) {
  try {
    for (int piece = next_++; piece < count_; piece = next_++) (*work_)(piece, scratch);
  } catch (...) {
    next_.store(count_);
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

}  // namespace invdn
