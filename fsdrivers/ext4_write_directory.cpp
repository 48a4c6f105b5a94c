#include "fsdrivers/ext4_write_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_hash.h"
#include "fsdrivers/ext4_write_htree.h"
#include "fsdrivers/ext4_write_inline.h"
#include "fsdrivers/ext4_write_map.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t dot_size = 12;           // "." and ".." take that much each
constexpr std::size_t inline_parent_size = 4;  // inline directories begin with their parent
constexpr std::uint8_t directory_type = 2;
// Of directories without large_dir; i_size has 32 bits that the kernel takes for signed.
constexpr std::uint64_t most_directory_bytes = std::uint64_t(1) << 31;

bool is_inline(const InodeRecord& directory) noexcept {
  return directory.has_flag(inode_inline_data);
}

std::array<Bytes, 2> inline_areas(InodeRecord& directory) {
  const InlineParts parts = inline_parts(directory);
  return {parts.first.subspan(inline_parent_size), parts.rest};
}

Bytes edit_area(Change& change, InodeRecord& directory, std::uint64_t place) {
  if (is_inline(directory)) {
    return inline_areas(directory)[std::size_t(place)];
  }
  const Layout& layout = change.layout();
  return record_area(layout,
                     change.edit(place, directory.seal(layout, Seal::Kind::directory_leaf)));
}

std::optional<FoundEntry> find_inline(Change& change, const InodeRecord& directory,
                                      std::string_view name) {
  InodeRecord copy = directory;
  const auto areas = inline_areas(copy);
  for (std::size_t place = 0; place < areas.size(); ++place) {
    const auto found =
        find_record(record_format(change.layout()), areas[place], [&](const StoredRecord& record) {
          return record.inode != 0 && same_name(change.layout(), directory, record.name, name);
        });
    if (found) {
      return FoundEntry{found->inode, place, found->offset};
    }
  }
  return std::nullopt;
}

std::optional<FoundEntry> find_linear(Change& change, const InodeRecord& directory,
                                      std::string_view name) {
  const Layout& layout = change.layout();
  const std::uint64_t count = directory_blocks(layout, directory);
  for (std::uint64_t logical = 0; logical < count; ++logical) {
    const std::uint64_t block = directory_block(change, directory, logical);
    const ConstBytes area =
        record_area(layout, change.read(block, directory.seal(layout, Seal::Kind::directory_leaf)));
    const auto found = find_record(record_format(layout), area, [&](const StoredRecord& record) {
      return record.inode != 0 && same_name(layout, directory, record.name, name);
    });
    if (found) {
      return FoundEntry{found->inode, block, found->offset};
    }
  }
  return std::nullopt;
}

bool add_inline(Change& change, InodeRecord& directory, const NewRecord& record) {
  for (const Bytes area : inline_areas(directory)) {
    if (!area.empty() && insert_record(record_format(change.layout()), area, record)) {
      return true;
    }
  }
  return false;
}

void add_linear(Change& change, InodeRecord& directory, const NewRecord& record) {
  const Layout& layout = change.layout();
  const RecordFormat format = record_format(layout);
  const std::uint64_t count = directory_blocks(layout, directory);
  const Seal seal = directory.seal(layout, Seal::Kind::directory_leaf);
  // Records put where an index has its nodes would break it.
  directory.clear_flag(inode_indexed);
  for (std::uint64_t logical = 0; logical < count; ++logical) {
    const std::uint64_t block = directory_block(change, directory, logical);
    const std::size_t needed = record_size(record.name.size());
    const auto room = find_record(
        format, record_area(layout, change.read(block, seal)),
        [&](const StoredRecord& found) { return found.length >= found.used() + needed; });
    if (room && insert_record(format, record_area(layout, change.edit(block, seal)), record)) {
      return;
    }
  }
  if (count == 1 && layout.has_compat(compat_dir_index)) {
    make_index(change, directory);
    add_indexed(change, directory, record);
    return;
  }
  const NewBlock added = append_directory_block(change, directory, Seal::Kind::directory_leaf);
  insert_record(format, record_area(layout, change.edit(added.block, seal)), record);
}

bool has_other_entries(const RecordFormat& format, ConstBytes area) {
  return find_record(format, area,
                     [](const StoredRecord& record) {
                       return record.inode != 0 && record.name != "." && record.name != "..";
                     })
      .has_value();
}

}  // namespace

RecordFormat record_format(const Layout& layout) noexcept {
  return {layout.block_size(), layout.has_incompat(incompat_filetype)};
}

ConstBytes record_area(const Layout& layout, ConstBytes block) noexcept {
  return layout.has_metadata_checksums() ? block.first(block.size() - sizeof(DirectoryTail))
                                         : block;
}

Bytes record_area(const Layout& layout, Bytes block) noexcept {
  return layout.has_metadata_checksums() ? block.first(block.size() - sizeof(DirectoryTail))
                                         : block;
}

bool is_indexed(const Layout& layout, const InodeRecord& directory) noexcept {
  return layout.has_compat(compat_dir_index) && directory.has_flag(inode_indexed);
}

bool same_name(const Layout& layout, const InodeRecord& directory, std::string_view stored,
               std::string_view name) {
  return stored == name ||
         (directory.has_flag(inode_casefold) && layout.has_incompat(incompat_casefold) &&
          same_folded(layout, stored, name));
}

std::uint64_t directory_blocks(const Layout& layout, const InodeRecord& directory) noexcept {
  return size_of(directory) >> layout.block_bits;
}

std::uint64_t directory_block(Change& change, const InodeRecord& directory, std::uint64_t logical) {
  const MappedRun run = find_run(change, directory, logical, logical + 1);
  if (run.state != RunState::written) {
    throw_corrupt(layer,
                  fmt::format("directory {}: block {:#x} is a hole", directory.number, logical));
  }
  return run.physical;
}

void clear_records(const Layout& layout, Bytes block) {
  std::fill(block.begin(), block.end(), std::byte(0));
  const Bytes area = record_area(layout, block);
  put_record(record_format(layout), area, 0, area.size(), {"", 0, 0});
  if (layout.has_metadata_checksums()) {
    constexpr std::uint16_t size = sizeof(DirectoryTail);
    store(block, area.size(), DirectoryTail{0U, size, 0, 0xDE, 0U});
  }
}

NewBlock append_directory_block(Change& change, InodeRecord& directory, Seal::Kind kind) {
  const Layout& layout = change.layout();
  const std::uint64_t logical = directory_blocks(layout, directory);
  if (!layout.has_incompat(incompat_large_dir) &&
      (logical + 1) << layout.block_bits >= most_directory_bytes) {
    throw_error(ENOSPC, layer, fmt::format("directory {} is full", directory.number));
  }
  const MappedRun run = allocate_run(change, directory, logical, logical + 1, RunState::written);
  set_size(directory, (logical + 1) << layout.block_bits);
  clear_records(layout, change.create(run.physical, directory.seal(layout, kind)));
  return {logical, run.physical};
}

std::optional<FoundEntry> find_entry(Change& change, const InodeRecord& directory,
                                     std::string_view name) {
  if (is_inline(directory)) {
    return find_inline(change, directory, name);
  }
  return is_indexed(change.layout(), directory) ? find_indexed(change, directory, name)
                                                : find_linear(change, directory, name);
}

void add_entry(Change& change, InodeRecord& directory, const NewRecord& record) {
  if (is_inline(directory)) {
    if (add_inline(change, directory, record)) {
      return;
    }
    move_directory_to_block(change, directory);
  }
  if (is_indexed(change.layout(), directory)) {
    add_indexed(change, directory, record);
  } else {
    add_linear(change, directory, record);
  }
}

void remove_entry(Change& change, InodeRecord& directory, const FoundEntry& entry) {
  remove_record(record_format(change.layout()), edit_area(change, directory, entry.place),
                entry.offset);
}

void point_entry(Change& change, InodeRecord& directory, const FoundEntry& entry,
                 std::uint32_t inode, std::uint8_t file_type) {
  set_record_target(record_format(change.layout()), edit_area(change, directory, entry.place),
                    entry.offset, inode, file_type);
}

void make_first_block(Change& change, InodeRecord& directory, std::uint32_t parent) {
  const Layout& layout = change.layout();
  const NewBlock added = append_directory_block(change, directory, Seal::Kind::directory_leaf);
  const Bytes area = record_area(layout, change.edit(added.block));
  const RecordFormat format = record_format(layout);
  put_record(format, area, 0, dot_size, {".", directory.number, directory_type});
  put_record(format, area, dot_size, area.size() - dot_size, {"..", parent, directory_type});
}

bool is_empty_directory(Change& change, const InodeRecord& directory) {
  const Layout& layout = change.layout();
  const RecordFormat format = record_format(layout);
  if (is_inline(directory)) {
    InodeRecord copy = directory;
    const auto areas = inline_areas(copy);
    return !has_other_entries(format, areas[0]) && !has_other_entries(format, areas[1]);
  }
  const std::uint64_t count = directory_blocks(layout, directory);
  for (std::uint64_t logical = 0; logical < count; ++logical) {
    // An index looks like unused records, so all blocks are taken for records.
    const std::uint64_t block = directory_block(change, directory, logical);
    const ConstBytes bytes = change.read(block);
    const bool is_root = logical == 0 && is_indexed(layout, directory);
    const bool is_node = record_at(format, bytes, 0).length == bytes.size();
    if (!is_root && has_other_entries(format, is_node ? bytes : record_area(layout, bytes))) {
      return false;
    }
  }
  return true;
}

std::uint32_t parent_of(Change& change, const InodeRecord& directory) {
  if (is_inline(directory)) {
    return load<le32>(directory.raw.block_map);
  }
  return load<le32>(change.read(directory_block(change, directory, 0)), dot_size);
}

void set_parent(Change& change, InodeRecord& directory, std::uint32_t parent) {
  if (is_inline(directory)) {
    store(Bytes(directory.raw.block_map), 0, le32(parent));
    return;
  }
  const Layout& layout = change.layout();
  const Seal::Kind kind =
      is_indexed(layout, directory) ? Seal::Kind::directory_index : Seal::Kind::directory_leaf;
  const Bytes block =
      change.edit(directory_block(change, directory, 0), directory.seal(layout, kind));
  const StoredRecord dots = record_at(record_format(layout), block, dot_size);
  if (dots.name != "..") {
    throw_corrupt(layer, fmt::format("directory {} does not name its parent", directory.number));
  }
  store(block, dot_size, le32(parent));
}

}  // namespace vimg::ext4
