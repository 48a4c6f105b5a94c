#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "tests/stress/operations.h"
#include "tests/stress/verify.h"

namespace vimg::stress {
namespace {

// A directory of the process's own, removed at the end of the burst.
std::optional<Name> make_burst_directory(Worker& worker) {
  const NodePtr parent = worker.random_directory();
  const Name name{parent.get(), worker.fresh_name(*parent)};
  const std::string path = worker.model().path(name);
  worker.log("mkdir {} for a burst", path);
  if (!worker.succeeded(mkdirat(worker.root_fd(), path.c_str(), 0700), "mkdir " + path)) {
    return std::nullopt;
  }
  worker.adopt(worker.make_node(*parent, S_IFDIR | 0700), name);
  return name;
}

// Two thousand files come and go in one directory, so that it is split and joined.
void fill_directory(Worker& worker) {
  constexpr std::size_t count = 2000;
  constexpr unsigned chance = 5;  // percent: it takes as long as thousands of other operations
  const auto name = worker.random().percent(chance) ? make_burst_directory(worker) : std::nullopt;
  if (!name) {
    return;
  }
  const NodePtr directory = name->directory->children.at(name->name);
  std::vector<Name> made;
  for (std::size_t i = 0; i < count; ++i) {
    const Name file{directory.get(),
                    fmt::format("{}-{}", i, std::string(worker.random().below(40), 'e'))};
    const std::string path = worker.model().path(file);
    if (!worker.succeeded(mknodat(worker.root_fd(), path.c_str(), S_IFREG | 0600, 0), "mknod")) {
      break;
    }
    worker.adopt(worker.make_node(*directory, S_IFREG | 0600), file);
    made.push_back(file);
  }
  verify_directory(worker, *directory);
  for (std::size_t left = made.size(); left > 0; --left) {
    std::swap(made[worker.random().below(left)], made[left - 1]);
    const std::string path = worker.model().path(made[left - 1]);
    worker.succeeded(unlinkat(worker.root_fd(), path.c_str(), 0), "unlink " + path);
    worker.model().remove(made[left - 1]);
    if (left == count / 2) {
      verify_directory(worker, *directory);
    }
  }
  const std::string path = worker.model().path(*name);
  worker.succeeded(unlinkat(worker.root_fd(), path.c_str(), AT_REMOVEDIR), "rmdir " + path);
  worker.model().remove(*name);
}

std::byte pattern(std::uint64_t offset) { return std::byte(1 + offset % 251); }

// Reads what there is of a growing file: all of it must be pattern, never zeros.
std::string read_growing(int fd, const std::atomic<bool>& done) {
  std::vector<std::byte> buffer(16384);
  for (std::uint64_t at = 0;;) {
    const bool last = done;
    const ssize_t count = pread(fd, buffer.data(), buffer.size(), off_t(at));
    if (count < 0) {
      return fmt::format("read at {:#x}: {}", at, std::strerror(errno));
    }
    for (std::uint64_t i = 0; i < std::uint64_t(count); ++i) {
      if (buffer[i] != pattern(at + i)) {
        return fmt::format("byte {:#x} is {:#x}", at + i, std::to_integer<unsigned>(buffer[i]));
      }
    }
    if (count == 0 && last) {
      return {};
    }
    at += std::uint64_t(count);
  }
}

// One thread appends to an unnamed file while another reads it.
void grow_while_reading(Worker& worker) {
  const NodePtr directory = worker.random_directory();
  const Name name{directory.get(), worker.fresh_name(*directory)};
  const std::string path = worker.model().path(name);
  worker.log("grow {} while it is read", path);
  const int fd = openat(worker.root_fd(), path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  if (!worker.succeeded(fd, "create " + path)) {
    return;
  }
  directory->mtime.reset();
  worker.succeeded(unlinkat(worker.root_fd(), path.c_str(), 0), "unlink " + path);
  std::atomic<bool> done = false;
  std::string difference;
  std::thread reader([&] { difference = read_growing(fd, done); });
  std::uint64_t size = 0;
  while (size < 300000) {
    std::vector<std::byte> data(worker.random().between(1, 9000));
    for (std::size_t i = 0; i < data.size(); ++i) {
      data[i] = pattern(size + i);
    }
    const ssize_t written = pwrite(fd, data.data(), data.size(), off_t(size));
    if (!worker.succeeded(written, "write")) {
      break;
    }
    size += std::uint64_t(written);
  }
  done = true;
  reader.join();
  if (!difference.empty()) {
    worker.fail("a growing file: " + difference);
  }
  worker.succeeded(close(fd), "close");
}

// What two processes may find that a third has done a moment ago.
constexpr auto shared_errors = {ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EINVAL, EPERM, EACCES};

std::string shared_directory(Worker& worker) {
  return fmt::format("{}/d{}", worker.options().shared, worker.random().below(4));
}

std::string shared_name(Worker& worker) {
  const std::string directory =
      worker.random().percent(50) ? worker.options().shared : shared_directory(worker);
  return fmt::format("{}/s{}", directory, worker.random().below(24));
}

void write_shared(Worker& worker) {
  const std::string path = shared_name(worker);
  const auto data = worker.random().bytes(worker.random().below(9000));
  const off_t offset = off_t(worker.random().below(20000));
  const off_t size = off_t(worker.random().below(20000));
  worker.log("shared: write {} at {:#x} (+{:#x}), truncate to {:#x}", path, offset, data.size(),
             size);
  const int fd = open(path.c_str(), O_CREAT | O_RDWR, 0666);
  if (worker.succeeded(fd, "shared open", shared_errors)) {
    worker.succeeded(pwrite(fd, data.data(), data.size(), offset), "shared write");
    worker.succeeded(ftruncate(fd, size), "shared truncate");
    worker.succeeded(close(fd), "shared close");
  }
}

void make_or_remove_shared(Worker& worker) {
  const std::string directory = shared_directory(worker);
  const std::string file = shared_name(worker);
  const auto choice = worker.random().below(3);
  worker.log("shared: {} {}", choice == 0 ? "mkdir" : "remove", choice == 2 ? file : directory);
  int result = 0;
  if (choice == 0) {
    result = mkdir(directory.c_str(), 0777);
  } else {
    result = choice == 1 ? rmdir(directory.c_str()) : unlink(file.c_str());
  }
  worker.succeeded(result, "shared mkdir or remove", shared_errors);
}

void link_or_rename_shared(Worker& worker) {
  const std::string from = shared_name(worker);
  const std::string to =
      worker.random().percent(20) ? shared_directory(worker) : shared_name(worker);
  const auto choice = worker.random().below(3);
  worker.log("shared: {} {} to {}", choice == 0 ? "link" : "rename", from, to);
  const int result = choice == 0 ? link(from.c_str(), to.c_str())
                                 : renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(),
                                             choice == 1 ? 0 : RENAME_EXCHANGE);
  worker.succeeded(result, "shared link or rename", shared_errors);
}

void list_some_directory(Worker& worker) {
  const NodePtr directory = worker.random().pick(worker.model().directories());
  worker.log("list {}", worker.model().path(*directory));
  verify_directory(worker, *directory);
}

constexpr std::array operations = {
    Operation{"fill-directory", 1, fill_directory},
    Operation{"grow-while-reading", 1, grow_while_reading},
    Operation{"write-shared", 8, write_shared},
    Operation{"make-or-remove-shared", 6, make_or_remove_shared},
    Operation{"link-or-rename-shared", 6, link_or_rename_shared},
    Operation{"list", 12, list_some_directory},
};

}  // namespace

std::span<const Operation> burst_operations() { return operations; }

}  // namespace vimg::stress
