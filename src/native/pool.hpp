// A few threads that share numbered pieces of work.
//
// No OpenMP: its runtimes clash with those of torch and numpy, and its threads spin while they
// wait. These look around for a moment and then sleep, so that a busy machine loses next to nothing
// to them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "buffer.hpp"

namespace invdn {

// Changes with a fork, whose child has copies of all objects but none of the threads.
long current_process();

class Pool {
 public:
  // What one piece of work is: its number, and scratch that is the thread's alone.
  using Work = std::function<void(int piece, float* scratch)>;

  // threads: 1 or more, the caller's among them; scratch: floats for each.
  Pool(int threads, std::size_t scratch);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return threads_; }

  // Does the pieces 0 to count - 1, in any order, and returns when all are done. One caller at a
  // time. An exception of a piece is thrown here, after the others have ended.
  void run(int count, const Work& work);

 private:
  void start();
  void stop();
  void serve(int index);
  void take_pieces(float* scratch);

  int threads_;
  std::vector<Buffer> scratch_;
  std::vector<std::thread> workers_;
  long process_ = 0;  // that started the workers; a fork has none of them

  std::mutex mutex_;
  std::condition_variable begun_;
  std::condition_variable ended_;
  std::atomic<long> round_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stopping_{false};
  const Work* work_ = nullptr;
  int count_ = 0;
  std::atomic<int> next_{0};
  std::exception_ptr error_;
};

}  // namespace invdn
