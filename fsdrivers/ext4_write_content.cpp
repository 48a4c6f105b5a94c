#include "fsdrivers/ext4_write_content.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "disk/checked.h"
#include "fsdrivers/ext4_write_map.h"

namespace vimg::ext4 {
namespace {

// A shorter run goes to the Disk in one write, padding included; of a longer one only the first
// and the last block are copied for that.
constexpr std::uint64_t copied_run = 128 << 10;

// The bytes of a file, by their place in it.
struct Piece {
  std::uint64_t offset;
  ConstBytes data;

  std::uint64_t end() const noexcept { return offset + data.size(); }
  Piece cut(std::uint64_t from, std::uint64_t to) const {
    const std::uint64_t start = std::max(from, offset);
    const std::uint64_t stop = std::min(to, end());
    return {start, data.subspan(std::size_t(start - offset), std::size_t(stop - start))};
  }
};

// [from, to) bytes of the file with zeros around what `piece` has of them.
std::vector<std::byte> padded(const Piece& piece, std::uint64_t from, std::uint64_t to) {
  std::vector<std::byte> bytes(std::size_t(to - from));
  const Piece inside = piece.cut(from, to);
  std::copy(inside.data.begin(), inside.data.end(),
            bytes.begin() + std::ptrdiff_t(inside.offset - from));
  return bytes;
}

// `run` holds nothing yet, so all of it is written.
void put_fresh(Change& change, const MappedRun& run, const Piece& piece) {
  const Layout& layout = change.layout();
  const std::uint64_t block_size = layout.block_size();
  std::uint64_t from = run.logical * block_size;
  std::uint64_t to = run.end() * block_size;
  const auto place_of = [&](std::uint64_t offset) {
    return run.physical * block_size + (offset - run.logical * block_size);
  };
  if (to - from <= copied_run) {
    change.write_blocks(run.physical, padded(piece, from, to));
    return;
  }
  if (piece.offset > from) {
    change.write_blocks(run.physical, padded(piece, from, from + block_size));
    from += block_size;
  }
  if (piece.end() < to) {
    to -= block_size;
    change.write_blocks(place_of(to) / block_size, padded(piece, to, to + block_size));
  }
  change.write_data(place_of(from), piece.cut(from, to).data);
}

void put_over(Change& change, const MappedRun& run, const Piece& piece) {
  const std::uint64_t block_size = change.layout().block_size();
  const Piece inside = piece.cut(run.logical * block_size, run.end() * block_size);
  change.write_data(run.physical * block_size + (inside.offset - run.logical * block_size),
                    inside.data);
}

}  // namespace

void put_content(Change& change, InodeRecord& file, std::uint64_t offset, ConstBytes data) {
  const Layout& layout = change.layout();
  const Piece piece{offset, data};
  const std::uint64_t end = divide_up(piece.end(), layout.block_size());
  for (std::uint64_t logical = offset >> layout.block_bits; logical < end;) {
    MappedRun run = find_run(change, file, logical, end);
    logical = run.end();
    if (run.state == RunState::written) {
      put_over(change, run, piece);
      continue;
    }
    if (run.state == RunState::hole) {
      run = allocate_run(change, file, run.logical, run.end(), RunState::written);
      logical = run.end();
    } else {
      set_state(change, file, run.logical, run.end(), RunState::written);
    }
    put_fresh(change, run, piece);
  }
}

void put_zeros(Change& change, const InodeRecord& file, std::uint64_t from, std::uint64_t to) {
  const Layout& layout = change.layout();
  const std::uint64_t logical = from >> layout.block_bits;
  if (from >= to || logical >= map_end(layout, file)) {
    return;
  }
  const MappedRun run = find_run(change, file, logical, logical + 1);
  if (run.state == RunState::written) {
    const std::vector<std::byte> zeros(std::size_t(to - from));
    change.write_bytes((run.physical << layout.block_bits) + from % layout.block_size(), zeros);
  }
}

void set_file_size(Change& change, InodeRecord& file, std::uint64_t size) {
  set_size(file, size);
  const bool is_large = size > std::numeric_limits<std::int32_t>::max();
  if (is_large && (change.super().feature_ro_compat & ro_compat_large_file) == 0 &&
      change.layout().revision != 0) {
    change.edit_super().feature_ro_compat = change.super().feature_ro_compat | ro_compat_large_file;
  }
}

}  // namespace vimg::ext4
