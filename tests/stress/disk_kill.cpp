// The kill mode of vimg_disk_stress.
//
// A round is a process that writes until it is killed, and one that looks at what is left.  Each
// unit of 512 bytes that is written says which it is, in which round and as which of the round's
// generations; shared memory says which generations were begun and which are durable.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "disk/endian.h"
#include "disk/error.h"
#include "tests/stress/disk_model.h"
#include "tests/stress/disk_options.h"
#include "tests/stress/random.h"

namespace vimg::stress {
namespace {

constexpr char layer[] = "kill";
constexpr std::uint64_t unit_size = 512;
constexpr std::uint64_t max_units = 4096;  // that are looked at together

struct Unit {
  le64 number;
  le64 round;
  le64 generation;
  std::array<std::byte, unit_size - 3 * sizeof(le64)> filling;
};
static_assert(sizeof(Unit) == unit_size && OnDisk<Unit>);

// What one unit went through in this round; 0 is what it held before.
struct History {
  std::atomic<std::uint32_t> begun;         // the last generation that may have been written
  std::atomic<std::uint32_t> ended;         // the last whose write has returned
  std::atomic<std::uint32_t> durable;       // the last that a flush has seen
  std::atomic<std::uint32_t> zeros_before;  // zeros are right while durable is less than this
};

Unit pattern(std::uint64_t unit, std::uint64_t round, std::uint64_t generation) {
  Unit content{unit, round, generation, {}};
  const int value = int((unit * 7 + round * 31 + generation) % 255) + 1;
  std::memset(content.filling.data(), value, content.filling.size());
  return content;
}

bool equal(ConstBytes a, ConstBytes b) { return std::memcmp(a.data(), b.data(), unit_size) == 0; }

// What the two processes of a round share.
struct Round {
  const DiskStressOptions& options;
  DiskModel& model;
  std::span<History> histories;
  std::atomic<bool>& started;
  std::uint64_t number;
  std::uint64_t seed;
};

// One thread of the process that writes.  Units belong to threads by their place, in pieces of
// several sizes, so that threads meet within clusters.
class KillWriter {
 public:
  KillWriter(const Round& round, Disk& disk, std::mutex& flushing, unsigned thread)
      : round_(round),
        disk_(disk),
        flushing_(flushing),
        thread_(thread),
        random_(round.seed * 64 + thread) {}

  [[noreturn]] void run() {
    for (;;) {
      step();
      round_.started = true;
    }
  }

 private:
  void step() {
    if (random_.percent(4)) {
      flush();
      return;
    }
    const auto [first, count] = pick();
    const std::uint64_t choice = random_.below(100);
    if (choice < 70) {
      write(first, count);
    } else if (choice < 85) {
      write_zeros(first, count);
    } else {
      discard(first, count);
    }
  }

  // Units that are this thread's alone.
  std::pair<std::uint64_t, std::uint64_t> pick() {
    const std::uint64_t threads = round_.options.threads;
    const std::uint64_t stripe = random_.below(round_.histories.size() / max_units);
    const std::uint64_t piece = std::min(std::uint64_t{8} << (stripe % 8), max_units / threads);
    const std::uint64_t number = random_.below(max_units / piece / threads) * threads + thread_;
    const std::uint64_t skipped = random_.skewed(piece);
    return {stripe * max_units + number * piece + skipped, 1 + random_.skewed(piece - skipped)};
  }

  void write(std::uint64_t first, std::uint64_t count) {
    std::vector<Unit> content;
    for (std::uint64_t unit = first; unit < first + count; ++unit) {
      content.push_back(pattern(unit, round_.number, ++round_.histories[unit].begun));
    }
    disk_.write(first * unit_size, std::as_bytes(std::span(content)));
    note_end(first, count);
  }

  void write_zeros(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t unit = first; unit < first + count; ++unit) {
      History& history = round_.histories[unit];
      history.zeros_before = history.begun + 2;
      ++history.begun;
    }
    disk_.write_zeros(first * unit_size, count * unit_size);
    note_end(first, count);
  }

  // Makes no generation: what was there before stays right, too.
  void discard(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t unit = first; unit < first + count; ++unit) {
      History& history = round_.histories[unit];
      history.zeros_before = history.begun + 1;
    }
    disk_.discard(first * unit_size, count * unit_size);
  }

  void note_end(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t unit = first; unit < first + count; ++unit) {
      History& history = round_.histories[unit];
      history.ended = history.begun.load();
    }
  }

  void flush() {
    const std::lock_guard lock(flushing_);
    std::vector<std::uint32_t> ended;
    ended.reserve(round_.histories.size());
    for (const History& history : round_.histories) {
      ended.push_back(history.ended);
    }
    disk_.flush();
    for (std::size_t unit = 0; unit < ended.size(); ++unit) {
      round_.histories[unit].durable = ended[unit];
    }
  }

  const Round& round_;
  Disk& disk_;
  std::mutex& flushing_;  // held from the look at what has ended until that is noted as durable
  const unsigned thread_;
  Random random_;
};

[[noreturn]] void write_until_killed(const Round& round) {
  const Image image = open_for_stress(round.options, Access::read_write);
  std::mutex flushing;
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < round.options.threads; ++thread) {
    threads.emplace_back([&, thread] { KillWriter(round, *image.disk, flushing, thread).run(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::abort();  // none of them ends
}

// True when the unit holds a generation that was begun and is not older than what is durable.
bool is_generation(const Round& round, std::uint64_t unit, ConstBytes seen) {
  const History& history = round.histories[unit];
  const std::uint64_t generation = load<Unit>(seen).generation;
  if (generation == 0 || generation < history.durable || generation > history.begun) {
    return false;
  }
  const Unit expected = pattern(unit, round.number, generation);
  return equal(seen, bytes_of(expected));
}

void check_unit(const Round& round, std::uint64_t unit, ConstBytes seen) {
  static constexpr std::array<std::byte, unit_size> zeros{};
  const History& history = round.histories[unit];
  const Bytes before = round.model.content().subspan(unit * unit_size, unit_size);
  const bool as_before = history.durable == 0 && equal(seen, before);
  const bool zeroed = history.durable < history.zeros_before && equal(seen, zeros);
  if (!as_before && !zeroed && !is_generation(round, unit, seen)) {
    const auto found = load<Unit>(seen);
    throw_corrupt(
        layer,
        fmt::format("unit {} in round {}: begun {}, ended {}, durable {}, zeros before {}; it says "
                    "unit {}, round {}, generation {}",
                    unit, round.number, history.begun.load(), history.ended.load(),
                    history.durable.load(), history.zeros_before.load(), found.number.value(),
                    found.round.value(), found.generation.value()));
  }
  std::memcpy(before.data(), seen.data(), unit_size);
}

void check_units(const Round& round, const Disk& disk) {
  std::vector<std::byte> buffer(max_units * unit_size);
  for (std::uint64_t first = 0; first < round.histories.size(); first += max_units) {
    const std::uint64_t count = std::min(max_units, round.histories.size() - first);
    const Bytes piece = Bytes(buffer).first(count * unit_size);
    disk.read(first * unit_size, piece);
    for (std::uint64_t i = 0; i < count; ++i) {
      check_unit(round, first + i, piece.subspan(i * unit_size, unit_size));
    }
  }
}

// An image that is marked as dirty is put right by the first write.
void write_if_dirty(const DiskStressOptions& options) {
  const Image image = open_for_stress(options, Access::read_write);
  const bool dirty = std::ranges::any_of(image.info.facts, [](const auto& fact) {
    return fact.first == "dirty" && fact.second == "true";
  });
  if (dirty) {
    std::array<std::byte, unit_size> first{};
    image.disk->read(0, first);
    image.disk->write(0, first);
    image.disk->flush();
  }
}

void look_at_what_is_left(const Round& round) {
  check_units(round, *open_for_stress(round.options, Access::read_only).disk);
  write_if_dirty(round.options);
  check_structure(round.options, Repair::leaks);
  check_structure(round.options, Repair::nothing);
  check_content(*open_for_stress(round.options, Access::read_only).disk, round.model);
}

// Runs `action` in a process of its own, which ends with 0, or with 1 after an error was printed.
template <typename Action>
pid_t start(Action&& action) {
  const pid_t child = fork();
  if (child < 0) {
    throw_errno(errno, layer, "cannot fork");
  }
  if (child > 0) {
    return child;
  }
  try {
    action();
    _exit(0);
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    _exit(1);
  }
}

// Waits until the process has ended; its status.
int status_of(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void run_writer(const Round& round, Random& random) {
  const pid_t writer = start([&] { write_until_killed(round); });
  int status = 0;
  while (!round.started) {
    if (waitpid(writer, &status, WNOHANG) == writer) {
      throw_error(EIO, layer, fmt::format("the writer of round {} ended", round.number));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::this_thread::sleep_for(std::chrono::microseconds(random.skewed(400'000)));
  kill(writer, SIGKILL);
  status = status_of(writer);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
    throw_error(EIO, layer,
                fmt::format("the writer of round {} ended with status {:#x}", round.number,
                            unsigned(status)));
  }
}

}  // namespace

void run_kills(const DiskStressOptions& options) {
  Random random(options.seed);
  SharedArray<std::uint64_t> size(1);
  const int sized = status_of(
      start([&] { size.get()[0] = open_for_stress(options, Access::read_only).disk->size(); }));
  if (sized != 0 || size.get()[0] < max_units * unit_size) {
    throw_error(EINVAL, layer, "the image cannot be opened or is too small");
  }
  DiskModel model(options.model, size.get()[0]);
  if (status_of(start(
          [&] { copy_content(*open_for_stress(options, Access::read_only).disk, model); })) != 0) {
    throw_error(EIO, layer, "the image cannot be read");
  }
  std::uint64_t durable_units = 0;
  for (std::uint64_t number = 1; number <= options.kills; ++number) {
    SharedArray<History> histories(model.size() / unit_size);
    SharedArray<std::atomic<bool>> started(1);
    const Round round{options,          model,  histories.get(),
                      started.get()[0], number, random.below(~0ULL >> 8)};
    run_writer(round, random);
    if (status_of(start([&] { look_at_what_is_left(round); })) != 0) {
      throw_error(EIO, layer, fmt::format("round {} of seed {} failed", number, options.seed));
    }
    durable_units += std::uint64_t(std::ranges::count_if(
        histories.get(), [](const History& history) { return history.durable > 0; }));
  }
  fmt::print("seed {}: {} kills, {} units were durable, all of them there\n", options.seed,
             options.kills, durable_units);
}

}  // namespace vimg::stress
