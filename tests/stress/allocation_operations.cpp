#include <fcntl.h>
#include <linux/falloc.h>

#include <array>
#include <cerrno>

#include "tests/stress/compare.h"
#include "tests/stress/operations.h"

namespace vimg::stress {
namespace {

constexpr std::uint64_t usual_size = 256U << 10;

struct Plan {
  NodePtr file;
  int fd;
  std::uint64_t offset;
  std::uint64_t length;
};

enum class Alignment { any, pages };

std::optional<Plan> plan(Worker& worker, Alignment alignment, const char* what) {
  const NodePtr file = worker.random_file();
  if (!file || !worker.may_grow_data()) {
    return std::nullopt;
  }
  Random& random = worker.random();
  std::uint64_t offset = random.below(usual_size);
  std::uint64_t length = random.between(1, 64U << 10);
  if (alignment == Alignment::pages || random.percent(50)) {
    offset = offset / page_size * page_size;
    length = (length + page_size - 1) / page_size * page_size;
  }
  worker.log("{} {} at {:#x} (+{:#x}), size {:#x}", what, worker.model().path(*file), offset,
             length, file->content.size());
  return Plan{file, worker.open_file(file), offset, length};
}

// True when the call succeeded.  A file system need not know every mode.
bool call(Worker& worker, const Plan& plan, int mode) {
  plan.file->mtime.reset();
  return worker.succeeded(fallocate(plan.fd, mode, off_t(plan.offset), off_t(plan.length)),
                          "fallocate", {EOPNOTSUPP});
}

void grow_to_end(const Plan& plan) {
  Content& content = plan.file->content;
  content.resize(std::max(content.size(), plan.offset + plan.length));
}

// For want of space a part may have been allocated, and the file be longer by it.
void accept_partial_growth(Worker& worker, const Plan& plan) {
  struct stat status {};
  fstat(plan.fd, &status);
  const std::uint64_t size = std::uint64_t(status.st_size);
  if (size < plan.file->content.size() || size > plan.offset + plan.length) {
    worker.succeeded(size == plan.file->content.size() ? 0 : -1, "size after failed fallocate");
  }
  plan.file->content.resize(std::max(size, plan.file->content.size()));
}

void allocate(Worker& worker) {
  if (const auto it = plan(worker, Alignment::any, "allocate")) {
    if (call(worker, *it, 0)) {
      grow_to_end(*it);
    } else {
      accept_partial_growth(worker, *it);
    }
    worker.close_file(it->file, it->fd);
  }
}

void allocate_keeping_size(Worker& worker) {
  if (const auto it = plan(worker, Alignment::any, "allocate, keeping the size, in")) {
    call(worker, *it, FALLOC_FL_KEEP_SIZE);
    worker.close_file(it->file, it->fd);
  }
}

void punch_hole(Worker& worker) {
  if (const auto it = plan(worker, Alignment::any, "punch a hole into")) {
    if (call(worker, *it, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
      it->file->content.zero(it->offset, it->length);
    }
    worker.close_file(it->file, it->fd);
  }
}

void zero_range(Worker& worker) {
  if (const auto it = plan(worker, Alignment::any, "zero a range of")) {
    const bool keeps_size = worker.random().percent(50);
    if (call(worker, *it, FALLOC_FL_ZERO_RANGE | (keeps_size ? FALLOC_FL_KEEP_SIZE : 0))) {
      it->file->content.zero(it->offset, it->length);
      if (!keeps_size) {
        grow_to_end(*it);
      }
    } else {
      accept_partial_growth(worker, *it);
    }
    worker.close_file(it->file, it->fd);
  }
}

// Only inside the file, and where its blocks are no larger than our pages.
void shift(Worker& worker, int mode, void (Content::*change)(std::uint64_t, std::uint64_t)) {
  const auto it =
      plan(worker, Alignment::pages, mode == FALLOC_FL_COLLAPSE_RANGE ? "collapse" : "insert into");
  if (!it) {
    return;
  }
  const bool inside = mode == FALLOC_FL_COLLAPSE_RANGE
                          ? it->offset + it->length < it->file->content.size()
                          : it->offset < it->file->content.size();
  it->file->mtime.reset();
  const int result = fallocate(it->fd, mode, off_t(it->offset), off_t(it->length));
  if (!inside) {
    worker.must_fail(result, "fallocate", {EINVAL, EOPNOTSUPP});
  } else if (worker.succeeded(result, "fallocate", {EINVAL, EOPNOTSUPP, EFBIG})) {
    (it->file->content.*change)(it->offset, it->length);
  }
  worker.close_file(it->file, it->fd);
}

void collapse(Worker& worker) { shift(worker, FALLOC_FL_COLLAPSE_RANGE, &Content::collapse); }
void insert(Worker& worker) { shift(worker, FALLOC_FL_INSERT_RANGE, &Content::insert); }

void check_holes(Worker& worker) {
  const NodePtr file = worker.random_file();
  if (!file) {
    return;
  }
  worker.log("seek through {}", worker.model().path(*file));
  const int fd = worker.open_file(file);
  compare_holes(worker, *file, fd);
  worker.close_file(file, fd);
}

constexpr std::array operations = {
    Operation{"allocate", 5, allocate},
    Operation{"allocate-keeping-size", 4, allocate_keeping_size},
    Operation{"punch-hole", 8, punch_hole},
    Operation{"zero-range", 6, zero_range},
    Operation{"collapse", 2, collapse},
    Operation{"insert", 2, insert},
    Operation{"check-holes", 6, check_holes},
};

}  // namespace

std::span<const Operation> allocation_operations() { return operations; }

}  // namespace vimg::stress
