#include "tests/stress/disk_model.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg::stress {
namespace {

constexpr char layer[] = "model";
constexpr std::uint64_t step = 1U << 20;

// The C functions stay fast where nothing is optimised.
void fill(Bytes bytes, int value) { std::memset(bytes.data(), value, bytes.size()); }

}  // namespace

DiskModel::DiskModel(const std::string& path, std::uint64_t size)
    : content_(path, size), discarded_(size) {}

void DiskModel::write(std::uint64_t offset, ConstBytes data) {
  std::memcpy(content().subspan(offset, data.size()).data(), data.data(), data.size());
  fill(discarded_.bytes().subspan(offset, data.size()), 0);
}

void DiskModel::write_zeros(std::uint64_t offset, std::uint64_t length) {
  fill(content().subspan(offset, length), 0);
  fill(discarded_.bytes().subspan(offset, length), 0);
}

void DiskModel::discard(std::uint64_t offset, std::uint64_t length) {
  fill(discarded_.bytes().subspan(offset, length), 1);
}

void DiskModel::check(std::uint64_t offset, ConstBytes seen) {
  const Bytes expected = content().subspan(offset, seen.size());
  const Bytes discarded = discarded_.bytes().subspan(offset, seen.size());
  if (std::memcmp(seen.data(), expected.data(), seen.size()) == 0) {
    fill(discarded, 0);
    return;
  }
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] == expected[i] && discarded[i] == std::byte{}) {
      continue;
    }
    if (seen[i] != expected[i] && (discarded[i] == std::byte{} || seen[i] != std::byte{})) {
      throw_corrupt(layer,
                    fmt::format("byte {:#x} of a read of {:#x} at {:#x} is {:#04x} and not "
                                "{:#04x}{}",
                                offset + i, seen.size(), offset, unsigned(seen[i]),
                                unsigned(expected[i]), discarded[i] != std::byte{} ? " or 0" : ""));
    }
    expected[i] = seen[i];
    discarded[i] = {};
  }
}

void DiskModel::check_zeros(std::uint64_t offset, std::uint64_t length) const {
  for (std::uint64_t at = offset; at < offset + length; ++at) {
    if (content()[at] != std::byte{} && discarded_.bytes()[at] == std::byte{}) {
      throw_corrupt(layer, fmt::format("byte {:#x} lies in an extent of zeros and is {:#04x}", at,
                                       unsigned(content()[at])));
    }
  }
}

void copy_content(const Disk& disk, DiskModel& model) {
  for (std::uint64_t at = 0; at < disk.size();) {
    const Extent extent = disk.extent(at, std::min(step, disk.size() - at));
    if (extent.kind == Extent::Kind::data) {
      disk.read(at, model.content().subspan(at, extent.length));
    }
    at += extent.length;
  }
}

void check_content(const Disk& disk, DiskModel& model) {
  std::vector<std::byte> buffer(step);
  for (std::uint64_t at = 0; at < disk.size(); at += step) {
    const Bytes piece = Bytes(buffer).first(std::min(step, disk.size() - at));
    disk.read(at, piece);
    model.check(at, piece);
  }
}

}  // namespace vimg::stress
