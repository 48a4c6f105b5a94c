#include "formats/vmdk_se_sparse.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/cached_disk.h"
#include "disk/checked.h"
#include "disk/error.h"
#include "formats/block_disk.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint64_t header_magic = 0xcafebabe;
constexpr std::uint64_t volatile_magic = 0xcafecafe;
constexpr std::uint64_t version_2_1 = 0x200000001;
constexpr std::uint64_t grain_size = 8 * sector;
constexpr std::uint64_t table_bytes = 64 * sector;
constexpr std::uint64_t table_entries = table_bytes / sizeof(le64);
constexpr std::uint64_t max_capacity_sectors = std::uint64_t{1} << 37;  // 64 TiB
constexpr std::size_t max_entries = 64;                                 // that one run is made of

// What stands in the topmost four bits of an entry.
enum class GrainKind : std::uint64_t { unmapped = 0, discarded = 1, zero = 2, allocated = 3 };
constexpr std::uint64_t allocated_table = 0x10000000;  // topmost 32 bits of a directory entry

struct Layout {
  std::uint64_t capacity;  // all in bytes
  std::uint64_t directory;
  std::uint64_t tables;
  std::uint64_t tables_size;
  std::uint64_t grains;
};

void validate_constants(const SeSparseHeader& header) {
  if (header.magic != header_magic) {
    throw_corrupt(layer, "the seSparse header has no signature");
  }
  const bool is_reserved_used =
      std::ranges::any_of(header.reserved, [](const le64& field) { return field != 0; });
  if (header.version != version_2_1 || header.flags != 0 || is_reserved_used) {
    throw_unsupported(layer, fmt::format("seSparse version {:#x} with flags {:#x}",
                                         header.version.value(), header.flags.value()));
  }
  if (header.grain_size * sector != grain_size || header.table_size * sector != table_bytes) {
    throw_unsupported(layer, fmt::format("seSparse grains of {} and grain tables of {} sectors",
                                         header.grain_size.value(), header.table_size.value()));
  }
}

// An area of the file that the header gives in sectors, in bytes.
std::uint64_t validated_area(std::uint64_t offset, std::uint64_t size, std::uint64_t file_size,
                             const char* what) {
  if (offset == 0 || offset > max_sectors || size > max_sectors ||
      !fits(offset * sector, size * sector, file_size)) {
    throw_corrupt(layer, fmt::format("the {} at sector {:#x} (+{:#x}) lies beyond the file end "
                                     "{:#x}",
                                     what, offset, size, file_size));
  }
  return offset * sector;
}

void validate_closed(const Disk& file, const SeSparseHeader& header) {
  const std::uint64_t place =
      validated_area(header.volatile_header_offset, 1, file.size(), "volatile header");
  const auto state = read_object<SeSparseVolatileHeader>(file, place);
  if (state.magic != volatile_magic) {
    throw_corrupt(layer, "the volatile header has no signature");
  }
  if (state.replay_journal != 0) {
    throw_unsupported(layer, "the journal of the seSparse extent has to be replayed");
  }
}

Layout read_layout(const Disk& file) {
  if (file.size() < sizeof(SeSparseHeader)) {
    throw_corrupt(layer, "the file is shorter than a seSparse header");
  }
  const auto header = read_object<SeSparseHeader>(file, 0);
  validate_constants(header);
  validate_closed(file, header);
  if (header.capacity > max_capacity_sectors) {
    throw_corrupt(layer, fmt::format("a capacity of {:#x} sectors, at most {:#x} are possible",
                                     header.capacity.value(), max_capacity_sectors));
  }
  Layout layout{};
  layout.capacity = header.capacity * sector;
  layout.directory = validated_area(header.directory_offset, header.directory_size, file.size(),
                                    "grain directory");
  const std::uint64_t tables = divide_up(layout.capacity, table_entries * grain_size);
  if (header.directory_size * sector / sizeof(le64) < tables) {
    throw_corrupt(layer, fmt::format("a grain directory of {} sectors, the capacity needs {} "
                                     "entries",
                                     header.directory_size.value(), tables));
  }
  layout.tables =
      validated_area(header.tables_offset, header.tables_size, file.size(), "grain tables");
  layout.tables_size = header.tables_size * sector;
  layout.grains = validated_area(header.grains_offset, 0, file.size(), "grains");
  return layout;
}

class SeSparseMap final : public BlockMap {
 public:
  SeSparseMap(const Layout& layout, DiskPtr tables) : layout_(layout), tables_(std::move(tables)) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override;

 private:
  std::uint64_t table_place(std::uint64_t entry, std::uint64_t index) const;
  BlockRun run_of_entry(std::uint64_t entry, std::uint64_t offset, std::uint64_t max) const;

  const Layout layout_;
  const DiskPtr tables_;
};

BlockRun SeSparseMap::find(std::uint64_t offset, std::uint64_t max) const {
  const std::uint64_t grain = offset / grain_size;
  const std::uint64_t left_in_table = table_entries - grain % table_entries;
  const std::uint64_t skip = offset % grain_size;
  const std::uint64_t index = grain / table_entries;
  const auto entry = read_object<le64>(*tables_, layout_.directory + index * sizeof(le64));
  if (entry == 0) {
    return {BlockRun::Kind::unmapped, std::min(max, left_in_table * grain_size - skip)};
  }
  const std::uint64_t wanted = divide_up(skip + max, grain_size);
  std::array<le64, max_entries> entries;
  const std::size_t count = std::min({wanted, left_in_table, std::uint64_t{max_entries}});
  tables_->read(table_place(entry, index) + grain % table_entries * sizeof(le64),
                std::as_writable_bytes(std::span(entries).first(count)));
  BlockRun run = run_of_entry(entries[0], offset, max);
  for (std::size_t i = 1; i < count; ++i) {
    const BlockRun next = run_of_entry(entries[i], offset + run.length, max - run.length);
    if (next.kind != run.kind ||
        (run.kind == BlockRun::Kind::data && run.place + run.length != next.place)) {
      break;
    }
    run.length += next.length;
  }
  return run;
}

std::uint64_t SeSparseMap::table_place(std::uint64_t entry, std::uint64_t index) const {
  const std::uint64_t table = entry & 0xffffffff;
  if (entry >> 32 != allocated_table ||
      !fits(table * table_bytes, table_bytes, layout_.tables_size)) {
    throw_corrupt(layer, fmt::format("grain directory entry {} is {:#x}, which is no grain table",
                                     index, entry));
  }
  return layout_.tables + table * table_bytes;
}

// The number of an allocated grain has its lower 48 bits above its upper 12.
BlockRun SeSparseMap::run_of_entry(std::uint64_t entry, std::uint64_t offset,
                                   std::uint64_t max) const {
  const std::uint64_t skip = offset % grain_size;
  const std::uint64_t length = std::min(max, grain_size - skip);
  switch (GrainKind(entry >> 60)) {
    case GrainKind::unmapped:
      if (entry == 0) {
        return {BlockRun::Kind::unmapped, length};
      }
      break;
    case GrainKind::discarded:
    case GrainKind::zero:
      return {BlockRun::Kind::zero, length};
    case GrainKind::allocated: {
      const std::uint64_t number = (entry >> 48 & 0xfff) | (entry & 0xffffffffffff) << 12;
      // No file is that large; the sum would wrap around.
      if (number > max_sectors / 8) {
        break;
      }
      return {BlockRun::Kind::data, length, layout_.grains + number * grain_size + skip};
    }
  }
  throw_corrupt(layer, fmt::format("the grain table entry of offset {:#x} is {:#x}, which has no "
                                   "meaning",
                                   offset, entry));
}

}  // namespace

DiskPtr open_se_sparse(DiskPtr file, DiskPtr backing, std::uint64_t cache_bytes) {
  const Layout layout = read_layout(*file);
  BlockDiskParts parts;
  parts.size = layout.capacity;
  parts.file = file;
  parts.backing = std::move(backing);
  auto map = std::make_unique<SeSparseMap>(layout, make_cached_disk(std::move(file), cache_bytes));
  return make_block_disk(std::move(map), std::move(parts));
}

}  // namespace vimg::vmdk
