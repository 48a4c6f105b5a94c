#include "disk/worker_pool.h"

#include <atomic>
#include <latch>

#include <doctest/doctest.h>

namespace vimg {

TEST_CASE("worker pool: tasks run in other threads, several at once") {
  WorkerPool pool(2);
  // Each task waits for the other one.
  std::latch both(2);
  std::latch done(2);
  for (int i = 0; i < 2; ++i) {
    pool.submit([&] {
      both.arrive_and_wait();
      done.count_down();
    });
  }
  done.wait();
}

TEST_CASE("worker pool: its end waits for the task that has begun and drops the others") {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(1);
    std::latch begun(1);
    pool.submit([&] {
      begun.count_down();
      ++ran;
    });
    begun.wait();
    for (int i = 0; i < 100; ++i) {
      pool.submit([&] { ++ran; });
    }
  }
  CHECK(ran >= 1);
}

TEST_CASE("worker pool: one without threads drops every task") {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(0);
    pool.submit([&] { ++ran; });
  }
  CHECK(ran == 0);
}

}  // namespace vimg
