// WorkerPool: a few threads that do work before it is asked for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace vimg {

// Threads: any may submit.  They start with the first task, so a process that forks does so before
// it reads what makes tasks.
class WorkerPool {
 public:
  // `thread_count` 0: tasks are dropped.
  explicit WorkerPool(std::size_t thread_count);
  // Drops what has not begun and waits for what has.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // One for the process, with a thread for each CPU; none where there is only one CPU.
  static WorkerPool& shared();

  std::size_t thread_count() const noexcept { return thread_count_; }
  // Runs `task`, which must not throw, after those submitted before it were begun.
  void submit(std::function<void()> task);

 private:
  void work();

  const std::size_t thread_count_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace vimg
