#include "disk/disk.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

constexpr char layer[] = "disk";

void check_range(const Disk& disk, std::uint64_t offset, std::uint64_t length) {
  if (!fits(offset, length, disk.size())) {
    throw_error(
        EINVAL, layer,
        fmt::format("range {:#x} (+{:#x}) lies beyond the end {:#x}", offset, length, disk.size()));
  }
}

void check_writable(const Disk& disk, std::uint64_t offset, std::uint64_t length) {
  if (!disk.writable()) {
    throw_error(EROFS, layer, "opened read-only");
  }
  check_range(disk, offset, length);
}

}  // namespace

void Disk::read(std::uint64_t offset, Bytes out) const {
  check_range(*this, offset, out.size());
  if (!out.empty()) {
    do_read(offset, out);
  }
}

void Disk::write(std::uint64_t offset, ConstBytes data) {
  check_writable(*this, offset, data.size());
  if (!data.empty()) {
    do_write(offset, data);
  }
}

void Disk::write_zeros(std::uint64_t offset, std::uint64_t length) {
  check_writable(*this, offset, length);
  if (length > 0) {
    do_write_zeros(offset, length);
  }
}

void Disk::discard(std::uint64_t offset, std::uint64_t length) {
  check_writable(*this, offset, length);
  if (length > 0) {
    do_discard(offset, length);
  }
}

void Disk::flush() {
  if (writable()) {
    do_flush();
  }
}

Extent Disk::extent(std::uint64_t offset, std::uint64_t max) const {
  check_range(*this, offset, 0);
  const std::uint64_t length = std::min(max, size() - offset);
  return length > 0 ? do_extent(offset, length) : Extent{0, Extent::Kind::data};
}

void Disk::resize(std::uint64_t size) { do_resize(size); }

void Disk::do_write(std::uint64_t, ConstBytes) { throw_error(EROFS, layer, "cannot be written"); }

void Disk::do_write_zeros(std::uint64_t offset, std::uint64_t length) {
  write_zeros_plainly(offset, length);
}

void Disk::write_zeros_plainly(std::uint64_t offset, std::uint64_t length) {
  static constexpr std::array<std::byte, 65536> zeros{};
  while (length > 0) {
    const std::uint64_t step = std::min<std::uint64_t>(length, zeros.size());
    do_write(offset, ConstBytes(zeros).first(step));
    offset += step;
    length -= step;
  }
}

void Disk::do_discard(std::uint64_t, std::uint64_t) {}

void Disk::do_flush() {}

Extent Disk::do_extent(std::uint64_t, std::uint64_t max) const { return {max, Extent::Kind::data}; }

void Disk::do_resize(std::uint64_t) { throw_unsupported(layer, "cannot be resized"); }

void read_padded(const Disk& disk, std::uint64_t offset, Bytes out) {
  const std::uint64_t size = disk.size();
  const std::uint64_t there =
      offset < size ? std::min<std::uint64_t>(out.size(), size - offset) : 0;
  disk.read(offset < size ? offset : 0, out.first(there));
  std::ranges::fill(out.subspan(there), std::byte{0});
}

void check_table(const Disk& disk, std::uint64_t offset, std::uint64_t count,
                 std::uint64_t entry_size, std::uint64_t limit, const char* table_layer,
                 const char* what) {
  const auto length = checked_mul(count, entry_size);
  if (!length || *length > limit) {
    throw_corrupt(table_layer, fmt::format("{} of {} entries is larger than the limit of {} bytes",
                                           what, count, limit));
  }
  if (!fits(offset, *length, disk.size())) {
    throw_corrupt(table_layer, fmt::format("{} at {:#x} (+{:#x}) lies beyond the end {:#x}", what,
                                           offset, *length, disk.size()));
  }
}

}  // namespace vimg
