#include "disk/worker_pool.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace vimg {
namespace {

constexpr std::size_t max_shared_threads = 8;

// Those that this process may run on, which hardware_concurrency() does not look at.
std::size_t cpu_count() noexcept {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    return std::thread::hardware_concurrency();
  }
  return std::size_t(CPU_COUNT(&allowed));
}

std::size_t shared_thread_count() noexcept {
  const std::size_t cpus = cpu_count();
  return cpus < 2 ? 0 : std::min(cpus, max_shared_threads);
}

}  // namespace

WorkerPool::WorkerPool(std::size_t thread_count) : thread_count_(thread_count) {}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

WorkerPool& WorkerPool::shared() {
  static WorkerPool pool(shared_thread_count());
  return pool;
}

void WorkerPool::submit(std::function<void()> task) {
  if (thread_count_ == 0) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    while (threads_.size() < thread_count_) {
      threads_.emplace_back([this] { work(); });
    }
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (stopping_) {
      return;
    }
    const std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    lock.lock();
  }
}

}  // namespace vimg
