#include "formats/qcow2_header.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::qcow2 {
namespace {

void check_range(const char* what, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
  if (value < least || value > most) {
    throw_corrupt(layer, fmt::format("{} is {}, expected {} to {}", what, value, least, most));
  }
}

void check_aligned(const char* what, std::uint64_t offset, const Header& header) {
  if (offset % header.cluster_size() != 0 || offset >= max_host_offset) {
    throw_corrupt(layer, fmt::format("{} at {:#x} is not at a cluster's start below {:#x}", what,
                                     offset, max_host_offset));
  }
}

// What the file is too short for stays zero, as in fields that are not present.
RawHeader read_raw(const Disk& file) {
  if (file.size() < header_length_v2) {
    throw_corrupt(layer, fmt::format("file of {} bytes is too short for a header of {}",
                                     file.size(), header_length_v2));
  }
  RawHeader raw{};
  file.read(0, writable_bytes_of(raw).first(std::min<std::uint64_t>(file.size(), sizeof(raw))));
  if (raw.magic != magic) {
    throw_corrupt(layer, "no magic \"QFI\\xfb\" at 0x0");
  }
  if (raw.version != 2 && raw.version != 3) {
    throw_unsupported(layer, fmt::format("version {}; 2 and 3 are supported", raw.version.value()));
  }
  return raw;
}

Header translate(const RawHeader& raw) {
  Header header;
  header.version = raw.version;
  header.cluster_bits = raw.cluster_bits;
  header.size = raw.size;
  header.crypt_method = raw.crypt_method;
  header.l1_count = raw.l1_count;
  header.l1_offset = raw.l1_offset;
  header.refcount_table_offset = raw.refcount_table_offset;
  header.refcount_table_clusters = raw.refcount_table_clusters;
  header.snapshot_count = raw.snapshot_count;
  header.snapshots_offset = raw.snapshots_offset;
  if (header.version == 3) {
    header.incompatible = raw.incompatible_features;
    header.compatible = raw.compatible_features;
    header.autoclear = raw.autoclear_features;
    header.refcount_order = raw.refcount_order;
    header.header_length = raw.header_length;
  }
  return header;
}

void validate_sizes(const Header& header, const Disk& file) {
  check_range("log2 of the cluster size", header.cluster_bits, min_cluster_bits, max_cluster_bits);
  check_range("virtual size", header.size, 0, max_virtual_size);
  check_range("log2 of the refcount bits", header.refcount_order, 0, max_refcount_order);
  if (header.version == 3) {
    check_range("header length", header.header_length, header_length_v3, header.cluster_size());
  }
  if (header.header_length > file.size()) {
    throw_corrupt(layer, fmt::format("header of {} bytes lies beyond the file end {:#x}",
                                     header.header_length, file.size()));
  }
}

void validate_tables(const Header& header) {
  check_aligned("L1 table", header.l1_offset, header);
  check_aligned("refcount table", header.refcount_table_offset, header);
  check_range("L1 entry count", header.l1_count, 0, max_l1_bytes / sizeof(be64));
  check_range("refcount table cluster count", header.refcount_table_clusters, 0,
              max_refcount_bytes >> header.cluster_bits);
  check_range("snapshot count", header.snapshot_count, 0, max_snapshots);
  if (header.snapshot_count > 0) {
    check_aligned("snapshot table", header.snapshots_offset, header);
  }
}

// Needs the extended L2 bit, so it comes after the features were checked.
void validate_l1_covers_disk(const Header& header) {
  const std::uint64_t needed = divide_up(header.size, 1ULL << header.l2_span_bits());
  if (header.l1_count < needed) {
    throw_corrupt(layer, fmt::format("L1 table of {} entries is too small for {:#x} bytes, which "
                                     "need {}",
                                     header.l1_count, header.size, needed));
  }
}

std::string feature_list(std::uint64_t bits, const std::vector<FeatureName>& names) {
  std::string list;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((bits >> bit & 1) == 0) {
      continue;
    }
    const auto found = std::ranges::find_if(names, [&](const FeatureName& name) {
      return name.set == FeatureName::Set::incompatible && name.bit == bit;
    });
    list += list.empty() ? "" : ", ";
    list += found == names.end() ? fmt::format("bit {}", bit)
                                 : fmt::format("\"{}\" (bit {})", found->name, bit);
  }
  return list;
}

void validate_features(const Header& header, const std::vector<FeatureName>& names) {
  const std::uint64_t unknown = header.incompatible & ~known_incompatible;
  if (unknown != 0) {
    throw_unsupported(layer, "unknown incompatible features: " + feature_list(unknown, names));
  }
  if (header.extended_l2()) {
    check_range("log2 of the cluster size with extended L2 entries", header.cluster_bits,
                min_extended_cluster_bits, max_cluster_bits);
  }
  if (header.raw_data() && !header.external_data()) {
    throw_corrupt(layer, "raw external data (autoclear bit 1) without an external data file");
  }
  if (header.external_data() && header.snapshot_count > 0) {
    throw_corrupt(layer, "internal snapshots with an external data file");
  }
}

Compression compression_of(const Header& header, const RawHeader& raw) {
  const bool present = header.header_length > header_length_v3 && header.version == 3;
  const unsigned type = present ? raw.compression_type : 0;
  const bool announced = (header.incompatible & incompatible_compression) != 0;
  if (announced != (type != 0)) {
    throw_corrupt(layer, fmt::format("compression type {} with incompatible bit 3 {}", type,
                                     announced ? "set" : "clear"));
  }
  if (type > 1) {
    throw_unsupported(layer, fmt::format("compression type {}; 0 (zlib) and 1 (zstd) are "
                                         "supported",
                                         type));
  }
  return type == 1 ? Compression::zstd : Compression::deflate;
}

void read_backing_name(const Disk& file, const RawHeader& raw, Header& header) {
  const std::uint64_t offset = raw.backing_offset;
  if (offset == 0) {
    return;
  }
  const std::uint64_t length = raw.backing_length;
  check_range("length of the backing file name", length, 0, max_backing_length);
  if (!fits(offset, length, std::min(header.cluster_size(), file.size()))) {
    throw_corrupt(layer, fmt::format("backing file name at {:#x} (+{:#x}) leaves the first cluster",
                                     offset, length));
  }
  std::string name(length, '\0');
  file.read(offset, std::as_writable_bytes(std::span(name)));
  if (!name.empty()) {
    header.backing_file = name;
  }
}

// Extensions end where the backing file's name begins, which may be right after the header.
std::uint64_t extensions_end(const RawHeader& raw, const Header& header) {
  const std::uint64_t offset = raw.backing_offset;
  if (offset == 0) {
    return header.cluster_size();
  }
  check_range("offset of the backing file name", offset, header.header_length,
              header.cluster_size());
  return offset;
}

}  // namespace

// A file that was cut in its header is still no raw disk.
bool has_magic(const Disk& file) {
  constexpr std::size_t magic_and_version = 8;
  if (file.size() < magic_and_version) {
    return false;
  }
  RawHeader raw{};
  file.read(0, writable_bytes_of(raw).first(magic_and_version));
  // Version 1 is another format, qcow.
  return raw.magic == magic && raw.version >= 2;
}

Header read_header(const Disk& file) {
  const RawHeader raw = read_raw(file);
  Header header = translate(raw);
  validate_sizes(header, file);
  validate_tables(header);
  const auto names = read_extensions(file, extensions_end(raw, header), header);
  validate_features(header, names);
  validate_l1_covers_disk(header);
  header.compression = compression_of(header, raw);
  read_backing_name(file, raw, header);
  return header;
}

void refuse_encryption(const Header& header) {
  switch (header.crypt_method) {
    case 0:
      break;
    case 1:
      throw_unsupported(layer, "AES encryption is not supported yet");
    case 2:
      throw_unsupported(layer, "LUKS encryption is not supported yet");
    default:
      throw_corrupt(layer,
                    fmt::format("encryption method is {}, expected 0 to 2", header.crypt_method));
  }
  if (header.has_encryption_header) {
    throw_unsupported(layer, "a full disk encryption header is not supported yet");
  }
}

}  // namespace vimg::qcow2
