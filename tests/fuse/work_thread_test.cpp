#include "fuse/work_thread.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include <doctest/doctest.h>

namespace vimg {
namespace {

TEST_CASE("work thread: what was posted is done in order before it ends") {
  std::vector<int> done;
  {
    WorkThread thread;
    for (int i = 0; i < 100; ++i) {
      thread.post([&done, i] { done.push_back(i); });
    }
  }
  REQUIRE(done.size() == 100);
  CHECK(std::is_sorted(done.begin(), done.end()));
}

TEST_CASE("work thread: work may post more work") {
  std::atomic<bool> done = false;
  WorkThread thread;
  thread.post([&] { thread.post([&] { done = true; }); });
  while (!done) {
    std::this_thread::yield();
  }
  thread.finish();
  CHECK(done);
}

}  // namespace
}  // namespace vimg
