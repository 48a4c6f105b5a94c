// WorkThread: one thread that does what it is given, in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace vimg {

// The thread is started by the first post(), as a daemon forks before it has threads.
class WorkThread {
 public:
  using Work = std::function<void()>;

  WorkThread() = default;
  ~WorkThread() { finish(); }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  // From any thread.  `work` must not throw.
  void post(Work work);
  // Returns when all that was posted is done.  Nothing is posted afterwards.
  void finish();

 private:
  void run();

  std::mutex mutex_;  // guards all below; never held while working
  std::condition_variable changed_;
  std::deque<Work> queue_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace vimg
