#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "tests/stress/compare.h"
#include "tests/stress/operations.h"

namespace vimg::stress {
namespace {

constexpr std::uint64_t usual_size = 256U << 10;

// Mostly near the file's beginning or end, now and then far behind it.
std::uint64_t random_offset(Worker& worker, const Node& file) {
  Random& random = worker.random();
  if (random.percent(3)) {
    return random.below(worker.options().max_offset);
  }
  if (random.percent(30)) {
    return std::min(file.content.size(), worker.options().max_offset);
  }
  const std::uint64_t offset = random.below(usual_size);
  return random.percent(40) ? offset / page_size * page_size : offset;
}

std::uint64_t random_length(Random& random) {
  const std::uint64_t length = random.between(1, random.percent(70) ? 8192 : 128U << 10);
  return random.percent(30) ? (length + page_size - 1) / page_size * page_size : length;
}

void write_at(Worker& worker) {
  const NodePtr file = worker.may_grow_data() ? worker.random_file() : nullptr;
  if (!file) {
    return;
  }
  const std::uint64_t offset = random_offset(worker, *file);
  const auto data = worker.random().bytes(random_length(worker.random()));
  worker.log("write {} at {:#x} (+{:#x})", worker.model().path(*file), offset, data.size());
  const int fd = worker.open_file(file);
  const ssize_t written = pwrite(fd, data.data(), data.size(), off_t(offset));
  if (worker.succeeded(written, "write", {EFBIG})) {
    file->content.write(offset, std::span(data).first(std::size_t(written)));
    file->mtime.reset();
  }
  worker.close_file(file, fd);
}

void append(Worker& worker) {
  const NodePtr file = worker.may_grow_data() ? worker.random_file() : nullptr;
  if (!file || file->names.empty()) {
    return;
  }
  const std::string path = worker.model().path(*file);
  const auto data = worker.random().bytes(random_length(worker.random()));
  worker.log("append to {} (+{:#x})", path, data.size());
  const int fd = openat(worker.root_fd(), path.c_str(), O_WRONLY | O_APPEND);
  if (!worker.succeeded(fd, "open " + path)) {
    return;
  }
  const ssize_t written = write(fd, data.data(), data.size());
  if (worker.succeeded(written, "append", {EFBIG})) {
    file->content.write(file->content.size(), std::span(data).first(std::size_t(written)));
    file->mtime.reset();
  }
  worker.succeeded(close(fd), "close");
}

void open_truncating(Worker& worker) {
  const NodePtr file = worker.random_file();
  if (!file || file->names.empty()) {
    return;
  }
  const std::string path = worker.model().path(*file);
  worker.log("open {} with O_TRUNC", path);
  const int fd = openat(worker.root_fd(), path.c_str(), O_WRONLY | O_TRUNC);
  if (worker.succeeded(fd, "open " + path)) {
    file->content.resize(0);
    file->mtime.reset();
    worker.succeeded(close(fd), "close");
  }
}

void truncate_to(Worker& worker) {
  const NodePtr file = worker.random_file();
  if (!file) {
    return;
  }
  const std::uint64_t size = random_offset(worker, *file);
  worker.log("truncate {} from {:#x} to {:#x}", worker.model().path(*file), file->content.size(),
             size);
  const int fd = worker.open_file(file);
  if (worker.succeeded(ftruncate(fd, off_t(size)), "truncate", {EFBIG})) {
    file->content.resize(size);
    file->mtime.reset();
  }
  worker.close_file(file, fd);
}

void read_and_compare(Worker& worker) {
  const NodePtr file = worker.random_file();
  if (!file) {
    return;
  }
  const std::uint64_t offset = random_offset(worker, *file);
  const std::uint64_t length = random_length(worker.random());
  worker.log("read {} at {:#x} (+{:#x})", worker.model().path(*file), offset, length);
  const int fd = worker.open_file(file);
  compare_range(worker, *file, fd, offset, length);
  worker.close_file(file, fd);
}

void read_mapped(Worker& worker) {
  const NodePtr file = worker.random_file();
  if (!file || file->content.size() == 0 || file->content.size() > 4 * usual_size) {
    return;
  }
  worker.log("map {} for reading", worker.model().path(*file));
  const std::size_t size = file->content.size();
  const int fd = worker.open_file(file);
  void* map =
      mmap(nullptr, size, PROT_READ, worker.random().percent(50) ? MAP_SHARED : MAP_PRIVATE, fd, 0);
  if (map != MAP_FAILED) {
    std::vector<std::byte> expected(size);
    file->content.read(0, expected);
    compare_bytes(worker, *file, 0, {static_cast<const std::byte*>(map), size}, expected);
    munmap(map, size);
  } else if (errno != ENODEV) {
    worker.fail_errno("mmap");
  }
  worker.close_file(file, fd);
}

void write_mapped(Worker& worker) {
  const NodePtr file = worker.may_grow_data() ? worker.random_file() : nullptr;
  if (!file || file->content.size() == 0 || file->content.size() > 4 * usual_size) {
    return;
  }
  const std::uint64_t offset = worker.random().below(file->content.size());
  const std::uint64_t length =
      std::min(random_length(worker.random()), file->content.size() - offset);
  const auto data = worker.random().bytes(length);
  worker.log("write {} through a map at {:#x} (+{:#x})", worker.model().path(*file), offset,
             length);
  const int fd = worker.open_file(file);
  // Space first: a hole that cannot be filled later is a SIGBUS.
  if (posix_fallocate(fd, off_t(offset), off_t(length)) == 0) {
    const std::size_t size = file->content.size();
    void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) {
      std::ranges::copy(data, static_cast<std::byte*>(map) + offset);
      worker.succeeded(msync(map, size, MS_SYNC), "msync");
      munmap(map, size);
      file->content.write(offset, data);
    } else if (errno != ENODEV) {
      worker.fail_errno("mmap");
    }
    file->mtime.reset();
  }
  worker.close_file(file, fd);
}

void sync_file(Worker& worker) {
  const NodePtr file = worker.random_file();
  if (!file) {
    return;
  }
  const bool data_only = worker.random().percent(50);
  worker.log("{} {}", data_only ? "fdatasync" : "fsync", worker.model().path(*file));
  const int fd = worker.open_file(file);
  worker.succeeded(data_only ? fdatasync(fd) : fsync(fd), "fsync");
  worker.close_file(file, fd);
}

void copy_range(Worker& worker) {
  const NodePtr from = worker.may_grow_data() ? worker.random_file() : nullptr;
  const NodePtr to = worker.random_file();
  if (!from || !to || from == to || from->content.size() == 0) {
    return;
  }
  off_t source = off_t(worker.random().below(from->content.size()));
  const std::uint64_t start = worker.random().below(usual_size);
  off_t target = off_t(start);
  const std::uint64_t length =
      std::min(random_length(worker.random()), from->content.size() - std::uint64_t(source));
  worker.log("copy {} at {:#x} (+{:#x}) to {} at {:#x}", worker.model().path(*from), source, length,
             worker.model().path(*to), target);
  std::vector<std::byte> data(length);
  from->content.read(std::uint64_t(source), data);
  const int from_fd = worker.open_file(from);
  const int to_fd = worker.open_file(to);
  const ssize_t copied = copy_file_range(from_fd, &source, to_fd, &target, length, 0);
  if (worker.succeeded(copied, "copy_file_range", {EOPNOTSUPP, EXDEV, EINVAL})) {
    to->content.write(start, std::span(data).first(std::size_t(copied)));
    to->mtime.reset();
  }
  worker.close_file(from, from_fd);
  worker.close_file(to, to_fd);
}

constexpr std::array operations = {
    Operation{"write", 50, write_at},
    Operation{"append", 15, append},
    Operation{"open-truncating", 3, open_truncating},
    Operation{"truncate", 15, truncate_to},
    Operation{"read", 40, read_and_compare},
    Operation{"read-mapped", 8, read_mapped},
    Operation{"write-mapped", 8, write_mapped},
    Operation{"sync", 6, sync_file},
    Operation{"copy-range", 4, copy_range},
};

}  // namespace

std::span<const Operation> data_operations() { return operations; }

}  // namespace vimg::stress
