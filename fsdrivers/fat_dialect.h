// FatDialect: the directories of FAT12, FAT16 and FAT32.
#pragma once

#include "disk/disk.h"
#include "fsdrivers/fat_record.h"

namespace vimg::fat {

class FatDialect final : public Dialect {
 public:
  // `tables` is the volume through a cache.
  FatDialect(DiskPtr tables, const Geometry& geometry);

  std::uint64_t max_directory_bytes() const noexcept override { return 65536 * slot_size; }
  Record root() const override;
  void parse(SlotBytes& slots, std::vector<bool>& used,
             const std::function<void(Entry)>& add) const override;
  Record record_at(Place place) const override;
  std::u16string fold(std::string_view name) const override { return folded(name); }
  std::uint32_t count_free(const FatTable& table) const override { return table.count_free(); }

 private:
  std::uint32_t first_cluster_of(const ShortRecord& record) const noexcept;

  DiskPtr tables_;
  Geometry geometry_;
};

}  // namespace vimg::fat
