#include "formats/copy_pieces.h"

#include <algorithm>
#include <cerrno>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

bool reads_zero(const Extent& extent) noexcept { return extent.kind != Extent::Kind::data; }

}  // namespace

CopyPieces::CopyPieces(const Disk& from, const CopyOptions& options, std::uint64_t piece_size,
                       std::uint64_t granularity)
    : from_(from), options_(options), piece_size_(piece_size), granularity_(granularity) {}

std::optional<CopyPieces::Piece> CopyPieces::next() {
  const std::lock_guard lock(asking_mutex_);
  check_stopped();
  const std::uint64_t offset = skip(at_);
  if (offset == from_.size()) {
    at_ = offset;
    return std::nullopt;
  }
  const std::uint64_t end = std::min(round_down(offset, piece_size_) + piece_size_, from_.size());
  at_ = std::min(round_up(data_end(offset, end), granularity_), end);
  return Piece{next_number_++, offset, at_ - offset};
}

// Where copying goes on at or after `offset`.
std::uint64_t CopyPieces::skip(std::uint64_t offset) const {
  const std::uint64_t size = from_.size();
  std::uint64_t length = 0;
  while (offset < size && is_needless(offset, size - offset, length)) {
    check_stopped();
    offset += length;
  }
  return offset == size ? size : round_down(offset, granularity_);
}

// The end of the last thing to be copied before `end`.
std::uint64_t CopyPieces::data_end(std::uint64_t offset, std::uint64_t end) const {
  std::uint64_t last = offset;
  while (offset < end) {
    std::uint64_t length = 0;
    const bool needless = is_needless(offset, end - offset, length);
    offset += length;
    last = needless ? last : offset;
  }
  return last;
}

// Whether the `length` bytes at `offset`, which this sets, need not be copied.
bool CopyPieces::is_needless(std::uint64_t offset, std::uint64_t max, std::uint64_t& length) const {
  const Extent extent = from_.extent(offset, max);
  length = extent.length;
  if (!reads_zero(extent)) {
    return false;
  }
  if (options_.beneath == nullptr || offset >= options_.beneath->size()) {
    return true;
  }
  const Extent beneath = options_.beneath->extent(offset, length);
  length = beneath.length;
  return reads_zero(beneath);
}

void CopyPieces::wait_for_turn(const Piece& piece) {
  std::unique_lock lock(turn_mutex_);
  turned_.wait(lock, [&] { return abandoned_ || turn_ == piece.number; });
  if (abandoned_) {
    throw_error(EINTR, "copy", "abandoned");
  }
}

void CopyPieces::done(const Piece& piece) {
  const std::lock_guard lock(turn_mutex_);
  turn_ = std::max(turn_, piece.number + 1);
  progress_ = std::max(progress_, piece.offset + piece.length);
  if (options_.progress) {
    options_.progress(progress_);
  }
  turned_.notify_all();
}

void CopyPieces::abandon() noexcept {
  const std::lock_guard lock(turn_mutex_);
  abandoned_ = true;
  turned_.notify_all();
}

void CopyPieces::check_stopped() const {
  if (options_.stop != nullptr && *options_.stop) {
    throw_error(EINTR, "copy", "interrupted");
  }
}

}  // namespace vimg
