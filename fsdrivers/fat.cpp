#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/error.h"
#include "fsdrivers/driver.h"
#include "fsdrivers/fat_dialect.h"
#include "fsdrivers/fat_open.h"

namespace vimg {
namespace {

constexpr std::string_view no_label = "NO NAME    ";

std::string trimmed(std::string_view field) {
  const std::size_t last = field.find_last_not_of(std::string_view(" \0", 2));
  return std::string(field.substr(0, last == std::string_view::npos ? 0 : last + 1));
}

// The label in the root directory, which is the one that counts.
std::string label_of(const Disk& disk, const fat::Geometry& geometry) {
  const bool fixed = geometry.root_length != 0;
  const std::uint64_t offset =
      fixed ? geometry.root_offset : offset_of_cluster(geometry, geometry.root_cluster);
  const std::uint64_t length = fixed ? geometry.root_length : geometry.cluster_size;
  for (std::uint64_t at = 0; at < length; at += fat::slot_size) {
    const auto record = read_object<fat::ShortRecord>(disk, offset + at);
    const auto first = static_cast<unsigned char>(record.name[0]);
    const bool is_label =
        (record.attributes & (fat::attribute_volume | fat::attribute_directory)) ==
        fat::attribute_volume;
    const bool is_long =
        (record.attributes & fat::attribute_long_name_mask) == fat::attribute_long_name;
    if (first == fat::slot_end) {
      break;
    }
    if (first != fat::slot_deleted && is_label && !is_long) {
      return trimmed({record.name.data(), record.name.size()});
    }
  }
  return {};
}

FileSystemIdentity identity_of(const Disk& disk, const fat::Geometry& geometry) {
  const auto tail = read_object<fat::BootTail>(
      disk, geometry.kind == fat::Kind::fat32 ? fat::tail_offset32 : fat::tail_offset16);
  FileSystemIdentity identity{"vfat", label_of(disk, geometry), ""};
  const std::string_view field(tail.label.data(), tail.label.size());
  if (tail.signature == 0x29 && identity.label.empty() && field != no_label) {
    identity.label = trimmed(field);
  }
  if (tail.signature == 0x29 || tail.signature == 0x28) {
    const std::uint32_t serial = tail.serial;
    identity.uuid = fmt::format("{:04X}-{:04X}", serial >> 16, serial & 0xffff);
  }
  return identity;
}

std::optional<FileSystemIdentity> probe(const Disk& disk) {
  if (!fat::looks_like_fat(disk)) {
    return std::nullopt;
  }
  try {
    return identity_of(disk, fat::read_geometry(disk));
  } catch (const Error&) {
    return FileSystemIdentity{"vfat", "", ""};
  }
}

bool is_ignored(std::string_view option) {
  constexpr std::array<std::string_view, 12> words{
      "utf8",      "nonumtail",  "check",    "conv",          "dots",  "nodots",
      "dotsOK=no", "dotsOK=yes", "showexec", "sys_immutable", "rodir", "uni_xlate"};
  constexpr std::array<std::string_view, 12> names{
      "utf8=", "shortname=", "tz=UTC", "iocharset=", "codepage=",    "check=",
      "conv=", "errors=",    "fat=",   "nfs",        "allow_utime=", "usefree"};
  return is_generic_option(option) || std::ranges::find(words, option) != words.end() ||
         std::ranges::any_of(names,
                             [&](std::string_view name) { return option.starts_with(name); });
}

OwnerOptions owners_of(const FileSystemOptions& options) {
  OwnerOptions owners;
  for (const std::string& option : options.options) {
    if (!is_ignored(option) && !take_owner_option(owners, option, "fat")) {
      throw_error(EINVAL, "fat", fmt::format("unknown option '{}'", option));
    }
  }
  return owners;
}

void describe_state(FileSystemInfo& info, const Disk& disk, const fat::Geometry& geometry,
                    const fat::FatTable& table) {
  const auto state = read_object<std::uint8_t>(disk, geometry.state_offset);
  const bool dirty = (state & fat::state_dirty) != 0 || !table.says_clean();
  info.state = dirty ? "not cleanly unmounted" : "clean";
  if (dirty) {
    info.warnings.emplace_back("the volume was not cleanly unmounted; fsck.fat should check it");
  }
  if (disk.size() < geometry.end) {
    info.warnings.push_back(
        fmt::format("the volume has {:#x} bytes, the disk only {:#x}", geometry.end, disk.size()));
  }
}

std::unique_ptr<FileSystem> open(DiskPtr disk, const FileSystemOptions& options) {
  const OwnerOptions owners = owners_of(options);
  const fat::Geometry geometry = fat::read_geometry(*disk);
  const FileSystemIdentity identity = identity_of(*disk, geometry);
  FileSystemInfo info{identity.type, identity.label, identity.uuid, "", {}, {}};
  const char* const version = geometry.kind == fat::Kind::fat12   ? "FAT12"
                              : geometry.kind == fat::Kind::fat16 ? "FAT16"
                                                                  : "FAT32";
  info.facts.emplace_back("version", version);
  info.facts.emplace_back("cluster size", std::to_string(geometry.cluster_size));
  const DiskPtr tables = make_cached_disk(disk, fat::table_cache_bytes);
  auto dialect = std::make_unique<fat::FatDialect>(tables, geometry);
  auto volume = std::make_unique<fat::Volume>(disk, tables, geometry, std::move(dialect));
  describe_state(info, *disk, geometry, volume->table());
  return fat::open_tree(std::move(volume), owners, std::move(info), options.access);
}

}  // namespace

extern const FileSystemDriver fat_driver;
const FileSystemDriver fat_driver{"vfat", "FAT12, FAT16 and FAT32 with long names", probe, open};

}  // namespace vimg
