#include "fsdrivers/ext4_xattr.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_content.h"
#include "fsdrivers/posix_acl.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint32_t max_value_size = 65536;  // XATTR_SIZE_MAX: what getxattr(2) can return
constexpr std::uint8_t index_system = 7;

// The prefixes that the kernel shows.  Not among them: system.data (7), the encryption context (9)
// and the descriptor of verity (11).
struct Prefix {
  std::uint8_t index;
  std::string_view text;
};
constexpr std::array<Prefix, 6> prefixes{{
    {1, "user."},
    {2, "system.posix_acl_access"},
    {3, "system.posix_acl_default"},
    {4, "trusted."},
    {6, "security."},
    {10, "gnu."},
}};

bool is_acl(std::uint8_t index) noexcept { return index == 2 || index == 3; }

struct Attribute {
  XattrEntry entry;
  std::string_view name;  // without its prefix
  ConstBytes value;       // empty when it lies in an inode of its own
};

// A list of entries, and the values that they point to.
struct Area {
  ConstBytes bytes;   // value offsets count from its start
  std::size_t first;  // where the entries begin
};

[[noreturn]] void throw_attribute(const Inode& inode, const std::string& message) {
  throw_corrupt(layer, fmt::format("inode {}: extended attributes: {}", inode.number(), message));
}

Attribute attribute_at(const Inode& inode, const Area& area, std::size_t offset) {
  if (!fits(offset, sizeof(XattrEntry), area.bytes.size())) {
    throw_attribute(inode, fmt::format("entry at {:#x} lies beyond the end", offset));
  }
  Attribute attribute{load<XattrEntry>(area.bytes, offset), {}, {}};
  const XattrEntry& entry = attribute.entry;
  if (!fits(offset + sizeof(XattrEntry), entry.name_length, area.bytes.size())) {
    throw_attribute(inode, fmt::format("name at {:#x} lies beyond the end", offset));
  }
  attribute.name = text_of(area.bytes.subspan(offset + sizeof(XattrEntry), entry.name_length));
  if (entry.value_inode == 0 && entry.value_size != 0) {
    if (!fits(entry.value_offset, entry.value_size, area.bytes.size())) {
      throw_attribute(inode, fmt::format("value at {:#x} (+{:#x}) lies beyond the end {:#x}",
                                         entry.value_offset.value(), entry.value_size.value(),
                                         area.bytes.size()));
    }
    attribute.value = area.bytes.subspan(entry.value_offset, entry.value_size);
  }
  return attribute;
}

// Calls `visit` for each attribute until it returns true; returns whether it did.  Every entry
// takes at least its own size, so the walk ends at the end of the area.
template <typename Visit>
bool visit_attributes(const Inode& inode, const Area& area, Visit&& visit) {
  std::size_t offset = area.first;
  while (fits(offset, sizeof(le32), area.bytes.size()) && load<le32>(area.bytes, offset) != 0) {
    const Attribute attribute = attribute_at(inode, area, offset);
    if (visit(attribute)) {
      return true;
    }
    offset += round_up(sizeof(XattrEntry) + attribute.name.size(), 4);
  }
  return false;
}

// Spec: "Extended Attributes".  In the inode they begin with the magic number alone.
std::optional<Area> inode_area(const Inode& inode) {
  const ConstBytes bytes = inode.xattr_area();
  if (bytes.size() < sizeof(le32) || load<le32>(bytes) != xattr_magic) {
    return std::nullopt;
  }
  return Area{bytes.subspan(sizeof(le32)), 0};
}

void verify_block(const Volume& volume, const Inode& inode, std::uint64_t number,
                  ConstBytes bytes) {
  const auto header = load<XattrHeader>(bytes);
  if (header.magic != xattr_magic || header.block_count != 1) {
    throw_attribute(
        inode, fmt::format("block {:#x} has magic {:#010x} and {} blocks, expected "
                           "{:#010x} and 1",
                           number, header.magic.value(), header.block_count.value(), xattr_magic));
  }
  if (!volume.has_checksums()) {
    return;
  }
  constexpr std::size_t place = offsetof(XattrHeader, checksum);
  const le64 seed = number;
  std::uint32_t expected = crc32c(volume.checksum_seed(), bytes_of(seed));
  expected = crc32c(crc32c(expected, bytes.first(place)), 0U);
  expected = crc32c(expected, bytes.subspan(place + sizeof(le32)));
  if (header.checksum != expected) {
    throw_attribute(inode, fmt::format("block {:#x}: checksum is {:#010x}, expected {:#010x}",
                                       number, header.checksum.value(), expected));
  }
}

// Calls `visit` for the attributes in the inode, then for those in the block, until it is true.
template <typename Visit>
void visit_all(const Volume& volume, const Inode& inode, Visit&& visit) {
  if (const auto area = inode_area(inode); area && visit_attributes(inode, *area, visit)) {
    return;
  }
  if (const std::uint64_t number = inode.xattr_block(volume.superblock()); number != 0) {
    const BlockCache::Block block =
        volume.metadata(number, "extended attributes",
                        [&](ConstBytes bytes) { verify_block(volume, inode, number, bytes); });
    visit_attributes(inode, Area{*block, sizeof(XattrHeader)}, visit);
  }
}

// An inode that holds a value has the checksum of the value for its access time.
std::vector<std::byte> value_from_inode(const Content& content, const Inode& inode,
                                        const XattrEntry& entry) {
  const Volume& volume = content.volume();
  const Inode holder = volume.inode(entry.value_inode);
  const std::uint64_t size = holder.size(volume.superblock());
  if (!holder.has_flag(inode_ea_value) || size != entry.value_size) {
    throw_attribute(inode, fmt::format("inode {} does not hold a value of {:#x} bytes",
                                       entry.value_inode.value(), entry.value_size.value()));
  }
  std::vector<std::byte> value(size);
  content.read(holder, 0, value);
  if (const std::uint32_t expected = crc32c(volume.checksum_seed(), value);
      holder.raw().atime != expected) {
    throw_attribute(inode,
                    fmt::format("value in inode {}: checksum is {:#010x}, expected {:#010x}",
                                entry.value_inode.value(), holder.raw().atime.value(), expected));
  }
  return value;
}

std::vector<std::byte> value_of(const Content& content, const Inode& inode,
                                const Attribute& attribute) {
  if (attribute.entry.value_size > max_value_size) {
    throw_error(E2BIG, layer,
                fmt::format("inode {}: an attribute of {} bytes", inode.number(),
                            attribute.entry.value_size.value()));
  }
  std::vector<std::byte> stored =
      attribute.entry.value_inode != 0
          ? value_from_inode(content, inode, attribute.entry)
          : std::vector<std::byte>(attribute.value.begin(), attribute.value.end());
  return is_acl(attribute.entry.name_index) ? acl_from_disk(stored) : stored;
}

// The full name, or nothing when the kernel would not show it.
std::optional<std::string> full_name(const Attribute& attribute) {
  const std::uint8_t index = attribute.entry.name_index;
  const auto* const prefix = std::find_if(
      prefixes.begin(), prefixes.end(), [&](const Prefix& known) { return known.index == index; });
  if (prefix == prefixes.end() || is_acl(index) != attribute.name.empty() ||
      attribute.name.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  return std::string(prefix->text) + std::string(attribute.name);
}

}  // namespace

std::vector<std::string> xattr_names_of(const Content& content, const Inode& inode) {
  std::vector<std::string> names;
  visit_all(content.volume(), inode, [&](const Attribute& attribute) {
    if (auto name = full_name(attribute)) {
      names.push_back(*std::move(name));
    }
    return false;
  });
  return names;
}

std::optional<std::vector<std::byte>> xattr_of(const Content& content, const Inode& inode,
                                               std::string_view name) {
  std::optional<std::vector<std::byte>> value;
  visit_all(content.volume(), inode, [&](const Attribute& attribute) {
    if (full_name(attribute) == name) {
      value = value_of(content, inode, attribute);
    }
    return value.has_value();
  });
  return value;
}

ConstBytes inline_data_attribute(const Inode& inode) {
  ConstBytes value;
  if (const auto area = inode_area(inode)) {
    visit_attributes(inode, *area, [&](const Attribute& attribute) {
      if (attribute.entry.name_index == index_system && attribute.name == "data") {
        value = attribute.value;
        return true;
      }
      return false;
    });
  }
  return value;
}

}  // namespace vimg::ext4
