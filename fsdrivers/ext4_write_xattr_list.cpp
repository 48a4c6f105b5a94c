#include "fsdrivers/ext4_write_xattr_list.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_format.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t magic_size = sizeof(le32);
constexpr std::size_t entry_header = sizeof(XattrEntry);
constexpr std::size_t end_mark = sizeof(le32);

std::size_t padded(std::size_t size) noexcept { return std::size_t(round_up(size, 4)); }

// The entries from `first`; value offsets count from the start of `base`.
// Each entry takes at least its own size, so the walk ends at the end of the area.
XattrList parse(ConstBytes base, std::size_t first) {
  XattrList list;
  for (std::size_t offset = first; fits(offset, end_mark, base.size());) {
    if (load<le32>(base, offset) == 0) {
      return list;
    }
    if (!fits(offset, entry_header, base.size())) {
      break;
    }
    const auto entry = load<XattrEntry>(base, offset);
    const bool inside = entry.value_inode != 0 || entry.value_size == 0 ||
                        fits(entry.value_offset, entry.value_size, base.size());
    if (!fits(offset + entry_header, entry.name_length, base.size()) || !inside) {
      break;
    }
    StoredXattr attribute{
        entry.name_index,
        std::string(text_of(base.subspan(offset + entry_header, entry.name_length))),
        {},
        entry.value_inode,
        entry.value_size,
        entry.hash};
    if (entry.value_inode == 0 && entry.value_size != 0) {
      const ConstBytes value = base.subspan(entry.value_offset, entry.value_size);
      attribute.value.assign(value.begin(), value.end());
    }
    list.push_back(std::move(attribute));
    offset += padded(entry_header + entry.name_length);
  }
  throw_corrupt(layer, "extended attributes leave their place");
}

std::size_t size_of(const XattrList& list) noexcept {
  std::size_t size = end_mark;
  for (const StoredXattr& attribute : list) {
    size += padded(entry_header + attribute.name.size()) + padded(attribute.value.size());
  }
  return size;
}

std::uint32_t hash_of_name(std::string_view name) noexcept {
  std::uint32_t hash = 0;
  for (const char character : name) {
    hash = (hash << 5) ^ (hash >> 27) ^ std::uint32_t(static_cast<unsigned char>(character));
  }
  return hash;
}

std::uint32_t hash_of_entry(std::string_view name, ConstBytes padded_value) noexcept {
  std::uint32_t hash = hash_of_name(name);
  for (std::size_t offset = 0; offset < padded_value.size(); offset += 4) {
    hash = (hash << 16) ^ (hash >> 16) ^ load<le32>(padded_value, offset).value();
  }
  return hash;
}

enum class EntryHashes { of_values, zero };

// Entries from `first` upwards, values from the end downwards; the caller knows that they fit.
void store_list(Bytes base, std::size_t first, const XattrList& list, EntryHashes hashes) {
  std::size_t offset = first;
  std::size_t value_end = base.size();
  for (const StoredXattr& attribute : list) {
    const std::size_t size = padded(attribute.value.size());
    value_end -= size;
    std::copy(attribute.value.begin(), attribute.value.end(),
              base.begin() + std::ptrdiff_t(value_end));
    const bool outside = attribute.value_inode != 0;
    XattrEntry entry{std::uint8_t(attribute.name.size()),
                     attribute.index,
                     std::uint16_t(size == 0 ? 0 : value_end),
                     attribute.value_inode,
                     outside ? attribute.value_size : std::uint32_t(attribute.value.size()),
                     outside ? attribute.hash : 0};
    if (!outside && hashes == EntryHashes::of_values) {
      entry.hash = hash_of_entry(attribute.name, base.subspan(value_end, size));
    }
    store(base, offset, entry);
    std::copy_n(bytes_of(std::string_view(attribute.name)).begin(), attribute.name.size(),
                base.begin() + std::ptrdiff_t(offset + entry_header));
    offset += padded(entry_header + attribute.name.size());
  }
}

std::uint32_t hash_of_block(ConstBytes block) noexcept {
  std::uint32_t hash = 0;
  for (std::size_t offset = sizeof(XattrHeader); load<le32>(block, offset) != 0;) {
    const auto entry = load<XattrEntry>(block, offset);
    if (entry.hash == 0) {
      return 0;  // the block is never shared
    }
    hash = (hash << 16) ^ (hash >> 16) ^ entry.hash.value();
    offset += padded(entry_header + entry.name_length);
  }
  return hash;
}

}  // namespace

XattrList parse_inode_xattrs(ConstBytes area) {
  if (area.size() < magic_size + end_mark || load<le32>(area) != xattr_magic) {
    return {};
  }
  return parse(area.subspan(magic_size), 0);
}

XattrList parse_xattr_block(ConstBytes block) {
  const auto header = load<XattrHeader>(block);
  if (header.magic != xattr_magic || header.block_count != 1 || header.reference_count == 0) {
    throw_corrupt(layer, fmt::format("a block of extended attributes has magic {:#x}, {} blocks "
                                     "and {} references",
                                     header.magic.value(), header.block_count.value(),
                                     header.reference_count.value()));
  }
  return parse(block, sizeof(XattrHeader));
}

Bytes inline_data_value(Bytes area) {
  if (area.size() < magic_size + end_mark || load<le32>(area) != xattr_magic) {
    return {};
  }
  parse_inode_xattrs(area);  // throws unless all that follows is in range
  const Bytes base = area.subspan(magic_size);
  for (std::size_t offset = 0; load<le32>(base, offset) != 0;) {
    const auto entry = load<XattrEntry>(base, offset);
    const auto name = text_of(base.subspan(offset + entry_header, entry.name_length));
    if (entry.name_index == xattr_index_system && name == "data" && entry.value_inode == 0 &&
        entry.value_size != 0) {
      return base.subspan(entry.value_offset, entry.value_size);
    }
    offset += padded(entry_header + entry.name_length);
  }
  return {};
}

bool store_inode_xattrs(Bytes area, const XattrList& list) {
  if (list.empty()) {
    std::fill(area.begin(), area.end(), std::byte(0));
    return true;
  }
  if (area.size() < magic_size || size_of(list) > area.size() - magic_size) {
    return false;
  }
  std::fill(area.begin(), area.end(), std::byte(0));
  store(area, 0, le32(xattr_magic));
  store_list(area.subspan(magic_size), 0, list, EntryHashes::zero);
  return true;
}

bool store_xattr_block(Bytes block, XattrList list) {
  if (size_of(list) > block.size() - sizeof(XattrHeader)) {
    return false;
  }
  // The kernel looks entries up by this order.
  std::sort(list.begin(), list.end(), [](const StoredXattr& left, const StoredXattr& right) {
    return std::tuple(left.index, left.name.size(), std::string_view(left.name)) <
           std::tuple(right.index, right.name.size(), std::string_view(right.name));
  });
  std::fill(block.begin(), block.end(), std::byte(0));
  store_list(block, sizeof(XattrHeader), list, EntryHashes::of_values);
  XattrHeader header{};
  header.magic = xattr_magic;
  header.reference_count = 1;
  header.block_count = 1;
  header.hash = hash_of_block(block);
  store(block, 0, header);
  return true;
}

std::uint32_t hash_of_inode_value(std::string_view name, std::uint32_t value_hash) noexcept {
  return hash_of_entry(name, bytes_of(le32(value_hash)));
}

}  // namespace vimg::ext4
