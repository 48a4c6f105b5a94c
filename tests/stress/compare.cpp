#include "tests/stress/compare.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace vimg::stress {
namespace {

constexpr std::uint64_t chunk = 256U << 10;

struct DataRange {
  std::uint64_t start;
  std::uint64_t end;
};

// What the file system calls data, in order.
std::vector<DataRange> data_ranges(const Worker& worker, const Node& file, int fd) {
  if (worker.options().sync_before_seek && fsync(fd) != 0) {
    worker.fail_errno("fsync");
  }
  const std::uint64_t size = file.content.size();
  std::vector<DataRange> ranges;
  for (std::uint64_t at = 0; at < size;) {
    const off_t start = lseek(fd, off_t(at), SEEK_DATA);
    if (start < 0 && errno == ENXIO) {
      break;  // a hole up to the end
    }
    const off_t end = start < 0 ? start : lseek(fd, start, SEEK_HOLE);
    if (end < 0) {
      worker.fail_errno("SEEK_DATA or SEEK_HOLE");
    }
    if (std::uint64_t(start) < at || end <= start || std::uint64_t(end) > size) {
      worker.fail(fmt::format("{}: data from {:#x} to {:#x} found from {:#x}, size {:#x}",
                              worker.model_path(file), start, end, at, size));
    }
    ranges.push_back({std::uint64_t(start), std::uint64_t(end)});
    at = std::uint64_t(end);
  }
  return ranges;
}

}  // namespace

void compare_bytes(const Worker& worker, const Node& file, std::uint64_t offset,
                   std::span<const std::byte> found, std::span<const std::byte> expected) {
  const auto [at, expected_at] = std::mismatch(found.begin(), found.end(), expected.begin());
  if (at != found.end()) {
    worker.fail(fmt::format("{}: byte {:#x} is {:#x}, not {:#x} (size {:#x})",
                            worker.model_path(file), offset + std::uint64_t(at - found.begin()),
                            std::to_integer<unsigned>(*at), std::to_integer<unsigned>(*expected_at),
                            file.content.size()));
  }
}

void compare_range(Worker& worker, const Node& file, int fd, std::uint64_t offset,
                   std::uint64_t length) {
  const std::uint64_t size = file.content.size();
  std::vector<std::byte> found(length);
  const ssize_t count = pread(fd, found.data(), found.size(), off_t(offset));
  if (count < 0) {
    worker.fail_errno("read");
  }
  const std::uint64_t due = offset < size ? std::min(length, size - offset) : 0;
  if (std::uint64_t(count) != due) {
    worker.fail(fmt::format("{}: {} bytes read at {:#x}, where {} are due (size {:#x})",
                            worker.model_path(file), count, offset, due, size));
  }
  std::vector<std::byte> expected(due);
  file.content.read(offset, expected);
  compare_bytes(worker, file, offset, std::span(found).first(due), expected);
}

void compare_holes(Worker& worker, const Node& file, int fd) {
  const auto ranges = data_ranges(worker, file, fd);
  file.content.for_each_data_page([&](std::uint64_t page) {
    // Blocks may be smaller than our pages, so only the byte that is not zero must be in data.
    std::array<std::byte, page_size> bytes{};
    const std::uint64_t length = std::min<std::uint64_t>(page_size, file.content.size() - page);
    file.content.read(page, std::span(bytes).first(length));
    const auto first = std::ranges::find_if(bytes, [](std::byte b) { return b != std::byte{0}; });
    const std::uint64_t at = page + std::uint64_t(first - bytes.begin());
    const auto after = std::ranges::upper_bound(ranges, at, {}, &DataRange::start);
    if (after == ranges.begin() || std::prev(after)->end <= at) {
      worker.fail(fmt::format("{}: byte {:#x} is in what SEEK_DATA calls a hole",
                              worker.model_path(file), at));
    }
  });
}

void compare_file(Worker& worker, const Node& file, int fd) {
  compare_holes(worker, file, fd);
  const auto ranges = data_ranges(worker, file, fd);
  for (const DataRange& range : ranges) {
    for (std::uint64_t at = range.start; at < range.end; at += chunk) {
      compare_range(worker, file, fd, at, std::min(chunk, range.end - at));
    }
  }
  compare_range(worker, file, fd, file.content.size(), 16);
}

}  // namespace vimg::stress
