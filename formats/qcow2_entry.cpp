#include "formats/qcow2_entry.h"

#include <algorithm>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

// One page: 32 MiB of disk with the usual clusters of 64 KiB.
constexpr std::uint64_t max_slice_size = 4096;

[[noreturn]] void throw_bad_entry(const Entry& entry, std::uint64_t offset, const char* what) {
  throw_corrupt(
      layer, fmt::format("L2 entry {:#018x} of guest offset {:#x} {}", entry.word, offset, what));
}

}  // namespace

Geometry::Geometry(const Header& header) noexcept
    : version_(header.version),
      cluster_bits_(header.cluster_bits),
      unit_bits_(header.cluster_bits - (header.extended_l2() ? 5U : 0U)),
      l2_span_bits_(header.l2_span_bits()),
      extended_(header.extended_l2()),
      external_data_(header.external_data()),
      slice_size_(std::min(header.cluster_size(), max_slice_size)) {}

bool Geometry::has_host_cluster(const Entry& entry) const noexcept {
  if (entry.compressed()) {
    return false;
  }
  // In an external data file offset 0 is as good as any other.
  return entry.host_offset() != 0 || (external_data_ && entry.copied());
}

Mapping Geometry::unit(const Entry& entry, std::uint64_t offset) const {
  return entry.compressed() ? compressed(entry, offset) : standard(entry, offset);
}

// Spec: "Compressed Clusters Descriptor".
CompressedPlace Geometry::compressed_place(const Entry& entry) const noexcept {
  const std::uint32_t length_bits = cluster_bits_ - 8;
  const std::uint32_t offset_bits = 62 - length_bits;
  const std::uint64_t host = entry.word & ((1ULL << offset_bits) - 1);
  const std::uint64_t more_sectors = entry.word >> offset_bits & ((1ULL << length_bits) - 1);
  return {host, (more_sectors + 1) * 512 - host % 512};
}

Mapping Geometry::compressed(const Entry& entry, std::uint64_t offset) const {
  const CompressedPlace place = compressed_place(entry);
  if (place.offset >= max_host_offset) {
    throw_bad_entry(entry, offset, "has its compressed data beyond the format's reach");
  }
  if (external_data_) {
    throw_bad_entry(entry, offset, "is compressed, which an external data file excludes");
  }
  Mapping mapping;
  mapping.kind = Mapping::Kind::compressed;
  mapping.length = cluster_size() - offset % cluster_size();
  mapping.host_offset = place.offset;
  mapping.stored_length = place.length;
  return mapping;
}

Mapping Geometry::standard(const Entry& entry, std::uint64_t offset) const {
  const std::uint64_t within = offset % cluster_size();
  if (entry.host_offset() % cluster_size() != 0) {
    throw_bad_entry(entry, offset, "is not at a cluster's start");
  }
  if (external_data_ && has_host_cluster(entry) && entry.host_offset() != offset - within) {
    throw_bad_entry(entry, offset, "does not lie at the same offset of the external data file");
  }
  Mapping mapping;
  mapping.kind = extended_ ? subcluster_kind(entry, offset) : plain_kind(entry, offset);
  mapping.length = unit_size() - offset % unit_size();
  if (mapping.kind == Mapping::Kind::data) {
    mapping.host_offset = entry.host_offset() + within;
    mapping.copied = entry.copied();
  }
  return mapping;
}

Mapping::Kind Geometry::plain_kind(const Entry& entry, std::uint64_t offset) const {
  if ((entry.word & entry_zero) != 0) {
    if (version_ < 3) {
      throw_bad_entry(entry, offset, "is a zero cluster, which version 2 does not have");
    }
    return Mapping::Kind::zero;
  }
  return has_host_cluster(entry) ? Mapping::Kind::data : Mapping::Kind::unallocated;
}

Mapping::Kind Geometry::subcluster_kind(const Entry& entry, std::uint64_t offset) const {
  const std::uint64_t index = (offset >> unit_bits_) % subclusters;
  const bool allocated = (entry.bitmap >> index & 1) != 0;
  const bool zero = (entry.bitmap >> (index + subclusters) & 1) != 0;
  if (allocated && zero) {
    throw_bad_entry(entry, offset, "has a subcluster that is both data and zero");
  }
  if (allocated && !has_host_cluster(entry)) {
    throw_bad_entry(entry, offset, "has data in a subcluster but no host cluster");
  }
  if (zero) {
    return Mapping::Kind::zero;
  }
  return allocated ? Mapping::Kind::data : Mapping::Kind::unallocated;
}

}  // namespace vimg::qcow2
