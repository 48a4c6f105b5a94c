#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "disk/endian.h"
#include "tests/stress/disk_model.h"
#include "tests/stress/disk_options.h"
#include "tests/stress/random.h"

namespace vimg::stress {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint64_t pool_bytes = 8U << 20;  // random content to cut writes from
constexpr std::uint64_t max_length = 4U << 20;  // of one operation

struct Range {
  std::uint64_t offset;
  std::uint64_t length;
};

// Ranges that one thread each is busy with.
class BusyRanges {
 public:
  class Hold {
   public:
    Hold(BusyRanges& busy, Range range) : busy_(busy), place_(busy.enter(range)) {}
    ~Hold() { busy_.leave(place_); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    BusyRanges& busy_;
    const std::list<Range>::iterator place_;
  };

 private:
  std::list<Range>::iterator enter(Range range) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [&] {
      return std::ranges::none_of(ranges_, [&](const Range& other) {
        return range.offset < other.offset + other.length &&
               other.offset < range.offset + range.length;
      });
    });
    return ranges_.insert(ranges_.end(), range);
  }
  void leave(std::list<Range>::iterator place) {
    const std::lock_guard lock(mutex_);
    ranges_.erase(place);
    left_.notify_all();
  }

  std::mutex mutex_;  // guards the ranges
  std::condition_variable left_;
  std::list<Range> ranges_;
};

class Worker {
 public:
  Worker(Disk& disk, DiskModel& model, BusyRanges& busy, ConstBytes pool, std::uint64_t seed)
      : disk_(disk), model_(model), busy_(busy), pool_(pool), random_(seed), buffer_(max_length) {}

  void step() {
    using Operation = void (Worker::*)(Range);
    static constexpr std::array<Operation, 10> operations{
        &Worker::write,       &Worker::write, &Worker::write, &Worker::write, &Worker::write_zeros,
        &Worker::write_zeros, &Worker::read,  &Worker::read,  &Worker::look,  &Worker::discard};
    if (random_.below(64) == 0) {
      disk_.flush();
    }
    const Range range = pick();
    const BusyRanges::Hold hold(busy_, range);
    (this->*random_.pick(operations))(range);
  }

 private:
  // Mostly small and odd, some at round places, a few large.
  Range pick() {
    static constexpr std::array<std::uint64_t, 8> most{512,   4096,   4096,     65536,
                                                       65536, 131072, 1U << 20, max_length};
    std::uint64_t length = random_.between(1, random_.pick(most));
    std::uint64_t offset = random_.below(disk_.size());
    // Half of all happens in the first eighth, so that it meets what is there.
    if (random_.percent(50)) {
      offset /= 8;
    }
    if (random_.percent(40)) {
      const std::uint64_t unit = 512U << random_.below(9);
      offset = offset / unit * unit;
      length = (length + unit - 1) / unit * unit;
    }
    return {offset, std::min(length, disk_.size() - offset)};
  }

  void write(Range range) {
    const ConstBytes data =
        pool_.subspan(random_.below(pool_.size() - range.length + 1), range.length);
    disk_.write(range.offset, data);
    model_.write(range.offset, data);
  }
  void write_zeros(Range range) {
    disk_.write_zeros(range.offset, range.length);
    model_.write_zeros(range.offset, range.length);
  }
  void discard(Range range) {
    disk_.discard(range.offset, range.length);
    model_.discard(range.offset, range.length);
  }
  void read(Range range) {
    const Bytes piece = Bytes(buffer_).first(range.length);
    disk_.read(range.offset, piece);
    model_.check(range.offset, piece);
  }
  void look(Range range) {
    const Extent extent = disk_.extent(range.offset, range.length);
    if (extent.kind != Extent::Kind::data) {
      model_.check_zeros(range.offset, extent.length);
    }
  }

  Disk& disk_;
  DiskModel& model_;
  BusyRanges& busy_;
  const ConstBytes pool_;
  Random random_;
  std::vector<std::byte> buffer_;
};

// Several workers on one opening of the image.
class Episode {
 public:
  Episode(Disk& disk, DiskModel& model, ConstBytes pool, Clock::time_point end)
      : disk_(disk), model_(model), pool_(pool), end_(end) {}

  // How many operations were done.  Throws what the first worker that failed threw.
  std::uint64_t run(unsigned threads, Random& random) {
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < threads; ++i) {
      workers.emplace_back([this, seed = random.below(~0ULL)] { work(seed); });
    }
    for (std::thread& worker : workers) {
      worker.join();
    }
    if (error_) {
      std::rethrow_exception(error_);
    }
    return operations_;
  }

 private:
  void work(std::uint64_t seed) {
    try {
      Worker worker(disk_, model_, busy_, pool_, seed);
      while (Clock::now() < end_ && !failed_) {
        worker.step();
        ++operations_;
      }
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex_);
      error_ = error_ ? error_ : std::current_exception();
      failed_ = true;
    }
  }

  Disk& disk_;
  DiskModel& model_;
  const ConstBytes pool_;
  const Clock::time_point end_;
  BusyRanges busy_;
  std::atomic<std::uint64_t> operations_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;  // guards the error
  std::exception_ptr error_;
};

std::vector<le64> random_pool(Random& random) {
  std::vector<le64> pool(pool_bytes / sizeof(le64));
  for (le64& word : pool) {
    word = random.below(~0ULL);
  }
  return pool;
}

}  // namespace

void run_random(const DiskStressOptions& options) {
  Random random(options.seed);
  const std::vector<le64> pool = random_pool(random);
  const std::uint64_t size = open_for_stress(options, Access::read_only).disk->size();
  DiskModel model(options.model, size);
  copy_content(*open_for_stress(options, Access::read_only).disk, model);
  const auto end = Clock::now() + std::chrono::seconds(options.seconds);
  std::uint64_t operations = 0;
  unsigned openings = 0;
  while (Clock::now() < end) {
    const Image image = open_for_stress(options, Access::read_write);
    const auto pause = Clock::now() + std::chrono::milliseconds(random.between(50, 3000));
    operations += Episode(*image.disk, model, std::as_bytes(std::span(pool)), std::min(end, pause))
                      .run(options.threads, random);
    image.disk->flush();
    ++openings;
    if (random.percent(30)) {
      check_content(*image.disk, model);
    }
  }
  check_structure(options, Repair::nothing);
  check_content(*open_for_stress(options, Access::read_only).disk, model);
  fmt::print("seed {}: {} operations, {} openings, no difference\n", options.seed, operations,
             openings);
}

}  // namespace vimg::stress
