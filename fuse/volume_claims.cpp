#include "fuse/volume_claims.h"

#include <cerrno>

#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "mount";

}  // namespace

VolumeClaims::VolumeClaims(std::vector<std::vector<std::size_t>> overlaps)
    : overlaps_(std::move(overlaps)), states_(overlaps_.size()) {}

void VolumeClaims::claim_tree(std::size_t volume) {
  const std::lock_guard lock(mutex_);
  check_tree(volume);
  states_[volume].tree_claimed.test_and_set();
}

void VolumeClaims::check_tree(std::size_t volume) const {
  const State& state = states_[volume];
  if (state.open_files > 0) {
    throw_error(EBUSY, layer, "the volume is open for writing as a file");
  }
  if (state.overwritten.test()) {
    throw_error(ESTALE, layer, "the volume was written as a file; unmount and mount again");
  }
}

void VolumeClaims::open_file(std::size_t volume) {
  const std::lock_guard lock(mutex_);
  for (const std::size_t other : overlaps_[volume]) {
    if (states_[other].tree_claimed.test()) {
      throw_error(EBUSY, layer, "the volume is written through its file system's tree");
    }
  }
  for (const std::size_t other : overlaps_[volume]) {
    ++states_[other].open_files;
  }
}

void VolumeClaims::close_file(std::size_t volume) noexcept {
  for (const std::size_t other : overlaps_[volume]) {
    --states_[other].open_files;
  }
}

void VolumeClaims::note_write(std::size_t volume) noexcept {
  if (states_[volume].written.test_and_set()) {
    return;
  }
  for (const std::size_t other : overlaps_[volume]) {
    states_[other].overwritten.test_and_set();
  }
}

}  // namespace vimg
