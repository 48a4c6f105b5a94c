#include "disk/block_cache.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <doctest/doctest.h>

#include "disk/endian.h"
#include "disk/error.h"

namespace vimg {
namespace {

constexpr std::size_t block_size = 512;

// Fills a block with its key, and counts.
struct Loader {
  std::atomic<int> loads = 0;

  BlockCache::Load function() {
    return [this](std::uint64_t key, Bytes out) {
      ++loads;
      std::ranges::fill(out, std::byte(key));
    };
  }
};

// A gate that threads wait at until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST_CASE("block cache: a block is loaded once and then found") {
  BlockCache cache(block_size, 64 * block_size);
  Loader loader;
  CHECK(cache.get(7, loader.function())->size() == block_size);
  CHECK(cache.get(7, loader.function())->front() == std::byte{7});
  CHECK(loader.loads == 1);
}

TEST_CASE("block cache: peek finds what is there and loads nothing") {
  BlockCache cache(block_size, 64 * block_size);
  Loader loader;
  CHECK(cache.peek(7) == nullptr);
  const BlockCache::Block block = cache.get(7, loader.function());
  CHECK(cache.peek(7) == block);
}

TEST_CASE("block cache: threads that want the same block share one load") {
  BlockCache cache(block_size, 64 * block_size);
  std::atomic<int> loads = 0;
  Gate gate;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const BlockCache::Block block = cache.get(1, [&](std::uint64_t, Bytes out) {
        ++loads;
        gate.wait();
        std::ranges::fill(out, std::byte{42});
      });
      CHECK(block->back() == std::byte{42});
    });
  }
  gate.open();
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(loads == 1);
}

TEST_CASE("block cache: a load that throws caches nothing, and the next one tries again") {
  BlockCache cache(block_size, 64 * block_size);
  CHECK_THROWS_AS(cache.get(3, [](std::uint64_t, Bytes) { throw_error(EIO, "test", "no"); }),
                  Error);
  CHECK(cache.peek(3) == nullptr);
  Loader loader;
  CHECK(cache.get(3, loader.function())->front() == std::byte{3});
}

TEST_CASE("block cache: who waited for a load that failed loads for himself") {
  BlockCache cache(block_size, 64 * block_size);
  Gate first_is_loading;
  std::thread first([&] {
    CHECK_THROWS_AS(cache.get(3,
                              [&](std::uint64_t, Bytes) {
                                first_is_loading.open();
                                throw_error(EIO, "test", "no");
                              }),
                    Error);
  });
  first_is_loading.wait();
  Loader loader;
  CHECK(cache.get(3, loader.function())->front() == std::byte{3});
  first.join();
  CHECK(loader.loads == 1);
}

TEST_CASE("block cache: no more than the capacity is kept, and at least one block") {
  for (const std::size_t capacity : {0, 1, 7, 8, 100, 1000}) {
    BlockCache cache(block_size, capacity * block_size);
    Loader loader;
    for (std::uint64_t key = 0; key < 3000; ++key) {
      cache.get(key * 65536, loader.function());
    }
    std::size_t kept = 0;
    for (std::uint64_t key = 0; key < 3000; ++key) {
      kept += cache.peek(key * 65536) != nullptr ? 1 : 0;
    }
    CHECK(kept <= std::max<std::size_t>(capacity, 1));
    CHECK(kept >= std::max<std::size_t>(capacity * 3 / 4, 1));
  }
}

TEST_CASE("block cache: what is used again outlives what is used once") {
  BlockCache cache(block_size, 8 * block_size);
  Loader loader;
  for (std::uint64_t key = 100; key < 200; ++key) {
    cache.get(1, loader.function());
    cache.get(key, loader.function());
  }
  CHECK(loader.loads == 101);
}

TEST_CASE("block cache: a block in use keeps its content after it was evicted") {
  BlockCache cache(block_size, block_size);
  Loader loader;
  const BlockCache::Block held = cache.get(1, loader.function());
  for (std::uint64_t key = 2; key < 50; ++key) {
    cache.get(key, loader.function());
  }
  CHECK(cache.peek(1) == nullptr);
  CHECK(std::ranges::all_of(*held, [](std::byte b) { return b == std::byte{1}; }));
}

TEST_CASE("block cache: a block may outlive its cache") {
  Loader loader;
  BlockCache::Block held;
  {
    BlockCache cache(block_size, 8 * block_size);
    held = cache.get(1, loader.function());
  }
  CHECK(held->front() == std::byte{1});
}

TEST_CASE("block cache: buffers are used again") {
  BlockCache cache(block_size, block_size);
  Loader loader;
  std::set<const std::byte*> buffers;
  for (std::uint64_t key = 0; key < 100; ++key) {
    buffers.insert(cache.get(key, loader.function())->data());
  }
  CHECK(buffers.size() <= 3);
}

TEST_CASE("block cache: a forgotten block is loaded again") {
  BlockCache cache(block_size, 64 * block_size);
  Loader loader;
  cache.get(1, loader.function());
  cache.get(2, loader.function());
  cache.invalidate(1);
  CHECK(cache.peek(1) == nullptr);
  CHECK(cache.peek(2) != nullptr);
  cache.clear();
  CHECK(cache.peek(2) == nullptr);
  cache.get(2, loader.function());
  CHECK(loader.loads == 3);
}

TEST_CASE("block cache: a load that was under way when its block was forgotten is not kept") {
  for (const bool all : {false, true}) {
    BlockCache cache(block_size, 64 * block_size);
    const BlockCache::Block stale = cache.get(5, [&](std::uint64_t, Bytes out) {
      std::ranges::fill(out, std::byte{1});
      all ? cache.clear() : cache.invalidate(5);
    });
    CHECK(stale->front() == std::byte{1});
    CHECK(cache.peek(5) == nullptr);
  }
}

TEST_CASE("block cache: who comes after a block was forgotten does not get the old load") {
  BlockCache cache(block_size, 64 * block_size);
  Gate loading;
  Gate finish;
  std::thread old([&] {
    cache.get(5, [&](std::uint64_t, Bytes out) {
      std::ranges::fill(out, std::byte{1});
      loading.open();
      finish.wait();
    });
  });
  loading.wait();
  cache.invalidate(5);
  const auto fresh = [](std::uint64_t, Bytes out) { std::ranges::fill(out, std::byte{2}); };
  CHECK(cache.get(5, fresh)->front() == std::byte{2});
  finish.open();
  old.join();
  CHECK(cache.get(5, fresh)->front() == std::byte{2});
}

// Two versions of every key: `written` grows before the block is forgotten, `published` after, so a
// block that is asked for after a version was published must not be older.
struct VersionedKeys {
  static constexpr std::uint64_t count = 64;
  std::array<std::atomic<std::uint64_t>, count> written{};
  std::array<std::atomic<std::uint64_t>, count> published{};

  void load(std::uint64_t key, Bytes out) const {
    store(out, 0, le64(written[key]));
    store(out, block_size - 8, le64(key));
  }
  void change(std::uint64_t key, BlockCache& cache) {
    const std::uint64_t version = ++written[key];
    cache.invalidate(key);
    // Only ever grows, whichever of two writers comes here first.
    std::uint64_t before = published[key];
    while (before < version && !published[key].compare_exchange_weak(before, version)) {
    }
  }
};

TEST_CASE("block cache: nobody sees a block older than the last time it was forgotten") {
  BlockCache cache(block_size, 24 * block_size);
  VersionedKeys keys;
  std::atomic<int> wrong = 0;
  const auto work = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t key = random() % VersionedKeys::count;
      const std::uint64_t wanted = keys.published[key];
      const BlockCache::Block block =
          cache.get(key, [&](std::uint64_t k, Bytes out) { keys.load(k, out); });
      const bool right = load<le64>(*block) >= wanted && load<le64>(*block, block_size - 8) == key;
      wrong += right ? 0 : 1;
      if (random() % 16 == 0) {
        keys.change(key, cache);
      }
    }
  };
  std::thread second(work, 1);
  std::thread third(work, 2);
  work(3);
  second.join();
  third.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace vimg
