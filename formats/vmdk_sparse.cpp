#include "formats/vmdk_sparse.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vmdk_grain.h"
#include "formats/vmdk_layout.h"

namespace vimg::vmdk {
namespace {

constexpr std::uint64_t max_table_cache = 8U << 20;     // bytes
constexpr std::size_t max_changed_entries = 64U << 10;  // in memory, then they are written
constexpr std::uint64_t max_file_sectors = std::uint64_t{1} << 32;

BlockRun run_of_entry(const SparseLayout& layout, std::uint32_t entry, std::uint64_t offset,
                      std::uint64_t max) {
  const std::uint64_t skip = offset & (layout.grain_size - 1);
  const std::uint64_t length = std::min(max, layout.grain_size - skip);
  if (entry == 0) {
    return {BlockRun::Kind::unmapped, length};
  }
  if (entry == zeroed_grain && layout.has_zeroed_grains) {
    return {BlockRun::Kind::zero, length};
  }
  if (layout.is_compressed) {
    return {BlockRun::Kind::encoded, length, offset / layout.grain_size, skip};
  }
  return {BlockRun::Kind::data, length, entry * sector + skip};
}

// True when `next`, which lies behind `run` on the disk, continues it.
bool continues(const BlockRun& run, const BlockRun& next) noexcept {
  return run.kind == next.kind && run.kind != BlockRun::Kind::encoded &&
         (run.kind != BlockRun::Kind::data || run.place + run.length == next.place);
}

BlockRun find_run(const SparseLayout& layout, const GrainTables& tables, std::uint64_t offset,
                  std::uint64_t max) {
  const std::uint64_t grain = offset / layout.grain_size;
  const std::uint64_t left_in_table = layout.table_entries - grain % layout.table_entries;
  const std::uint64_t skip = offset % layout.grain_size;
  const std::uint64_t wanted = divide_up(skip + max, layout.grain_size);
  std::array<std::uint32_t, GrainTables::max_read> entries;
  const std::size_t count = std::min({wanted, left_in_table, std::uint64_t{entries.size()}});
  if (!tables.read(grain, std::span(entries).first(count))) {
    return {BlockRun::Kind::unmapped, std::min(max, left_in_table * layout.grain_size - skip)};
  }
  BlockRun run = run_of_entry(layout, entries[0], offset, max);
  for (std::size_t i = 1; i < count; ++i) {
    const BlockRun next = run_of_entry(layout, entries[i], offset + run.length, max - run.length);
    if (!continues(run, next)) {
      break;
    }
    run.length += next.length;
  }
  return run;
}

class SparseMap final : public BlockMap {
 public:
  SparseMap(const SparseLayout& layout, const DiskPtr& file, std::uint64_t cache_bytes)
      : layout_(layout), file_(file), tables_(layout, file, cache_bytes) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    return find_run(layout_, tables_, offset, max);
  }
  std::uint64_t decoded_size() const noexcept override {
    return layout_.is_compressed ? layout_.grain_size : 0;
  }
  void decode(std::uint64_t grain, Bytes out) const override {
    std::uint32_t entry = 0;
    tables_.read(grain, std::span(&entry, 1));
    decode_grain(*file_, layout_, grain, entry * sector, out);
  }

 private:
  const SparseLayout layout_;
  const DiskPtr file_;
  const GrainTables tables_;
};

class WritableSparseMap final : public WritableBlockMap {
 public:
  WritableSparseMap(const SparseLayout& layout, const DiskPtr& file, std::uint64_t cache_bytes)
      : layout_(layout), file_(file), tables_(layout, file, cache_bytes) {}

  BlockRun find(std::uint64_t offset, std::uint64_t max) const override {
    return find_run(layout_, tables_, offset, max);
  }
  std::uint64_t block_size() const noexcept override { return layout_.grain_size; }

  // Who had it open before may have been killed between a table and its copy.
  void begin() override {
    if (layout_.is_unclean) {
      tables_.mirror();
    }
    write_state(*file_, layout_, WriteState::open);
    file_->flush();
  }
  std::uint64_t allocate(std::uint64_t offset) override {
    tables_.prepare(offset / layout_.grain_size);
    const std::uint64_t place = round_up(file_->size(), layout_.grain_size);
    const std::uint64_t end = place + layout_.grain_size;
    if (end / sector > max_file_sectors) {
      throw_error(EFBIG, layer, "the extent is as large as it can be");
    }
    file_->resize(end);
    return place;
  }
  void publish(std::uint64_t offset, std::uint64_t place) override {
    set_entry(offset, std::uint32_t(place / sector));
  }
  bool publish_zero(std::uint64_t offset) override {
    if (layout_.has_zeroed_grains) {
      tables_.prepare(offset / layout_.grain_size);
      set_entry(offset, zeroed_grain);
    }
    return layout_.has_zeroed_grains;
  }
  void flush() override { tables_.flush(); }
  void end() override {
    if (layout_.kind == SparseLayout::Kind::cowd) {
      const std::uint64_t free = divide_up(file_->size(), sector);
      file_->write(offsetof(CowdHeader, free_sector), bytes_of(le32(std::uint32_t(free))));
    }
    write_state(*file_, layout_, WriteState::closed);
  }

 private:
  void set_entry(std::uint64_t offset, std::uint32_t entry) {
    if (tables_.changed_entries() >= max_changed_entries) {
      tables_.flush();
    }
    tables_.set(offset / layout_.grain_size, entry);
  }

  const SparseLayout layout_;
  const DiskPtr file_;
  GrainTables tables_;
};

BlockDiskParts parts_of(const SparseLayout& layout, DiskPtr file, DiskPtr backing) {
  BlockDiskParts parts;
  parts.size = layout.capacity;
  parts.file = std::move(file);
  parts.backing = std::move(backing);
  return parts;
}

}  // namespace

DiskPtr open_sparse(const SparseLayout& layout, DiskPtr file, DiskPtr backing,
                    std::uint64_t cache_bytes) {
  const std::uint64_t table_cache = std::min(cache_bytes / 4, max_table_cache);
  auto map = std::make_unique<SparseMap>(layout, file, table_cache);
  BlockDiskParts parts = parts_of(layout, std::move(file), std::move(backing));
  parts.cache_bytes = cache_bytes - table_cache;
  return make_block_disk(std::move(map), std::move(parts));
}

DiskPtr open_writable_sparse(const SparseLayout& layout, DiskPtr file, DiskPtr backing,
                             std::uint64_t cache_bytes) {
  auto map =
      std::make_unique<WritableSparseMap>(layout, file, std::min(cache_bytes, max_table_cache));
  return make_writable_block_disk(std::move(map),
                                  parts_of(layout, std::move(file), std::move(backing)));
}

}  // namespace vimg::vmdk
