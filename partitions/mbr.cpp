// dos: the Master Boot Record, as linux block/partitions/msdos.c and libblkid read it.
#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "partitions/mbr_logical.h"
#include "partitions/mbr_sector.h"
#include "partitions/mbr_sector_size.h"
#include "partitions/placement.h"
#include "partitions/scheme.h"
#include "partitions/type_names.h"

namespace vimg {
namespace {

constexpr char layer[] = "dos";
constexpr std::uint8_t active_flag = 0x80;
constexpr unsigned first_logical_number = 5;
// What the kernel shows of an extended partition: room for a boot loader, nothing to format.
constexpr std::uint64_t extended_bytes = 1024;

// The signature alone is in every boot sector; what follows it there is code, which fails this.
bool has_table(const MbrSector& mbr) {
  return !has_protective_entry(mbr) && !is_volume_boot_sector(mbr) &&
         std::ranges::all_of(mbr.entries, [](const MbrEntry& entry) {
           return entry.boot_flag == 0 || entry.boot_flag == active_flag;
         });
}

// Empty for 0, which blkid takes for none.
std::string signature_text(const MbrSector& mbr) {
  return mbr.disk_signature != 0 ? fmt::format("{:08x}", mbr.disk_signature.value()) : "";
}

// Partitions in the order of their numbers, and what they have in common.
class TableBuilder {
 public:
  TableBuilder(const Disk& disk, const MbrSector& mbr)
      : disk_(disk),
        table_{layer, signature_text(mbr), mbr_sector_size(disk, mbr), {}, {}},
        chain_(disk, table_.sector_size, table_.problems) {}

  void add_primary(const MbrEntry& entry, unsigned number) {
    std::uint64_t count = entry.count;
    if (is_extended(entry)) {
      extended_.insert(number);
      count = std::min(count, std::max<std::uint64_t>(1, extended_bytes / table_.sector_size));
    }
    add(entry, number, entry.start, count);
  }

  void add_logical(const MbrEntry& extended) {
    for (const LogicalPartition& logical : chain_.follow(extended)) {
      if (logical.start < extended.start ||
          logical.start + logical.count > std::uint64_t(extended.start) + extended.count) {
        table_.problems.push_back(
            fmt::format("dos: partition {} leaves the extended partition at sector {}",
                        next_logical_, extended.start.value()));
      }
      add(logical.entry, next_logical_++, logical.start, logical.count);
    }
  }

  PartitionTable finish() && {
    // An extended partition's record and its first logical one may share its first KiB.
    std::vector<Partition> containing_data;
    std::ranges::copy_if(table_.partitions, std::back_inserter(containing_data),
                         [this](const Partition& p) { return !extended_.contains(p.number); });
    report_overlaps(containing_data, layer, table_.problems);
    return std::move(table_);
  }

 private:
  void add(const MbrEntry& entry, unsigned number, std::uint64_t start, std::uint64_t count) {
    const auto range = place(start, count, table_.sector_size, disk_.size(),
                             fmt::format("dos: partition {}", number), table_.problems);
    if (!range) {
      return;
    }
    table_.partitions.push_back(
        {.number = number,
         .offset = range->offset,
         .length = range->length,
         .type = fmt::format("{:#x}", entry.type),
         .type_name = std::string(mbr_type_name(entry.type)),
         .label = {},
         .uuid = table_.uuid.empty() ? "" : fmt::format("{}-{:02x}", table_.uuid, number),
         .bootable = entry.boot_flag == active_flag});
  }

  const Disk& disk_;
  PartitionTable table_;
  LogicalChain chain_;
  std::set<unsigned> extended_;  // numbers
  unsigned next_logical_ = first_logical_number;
};

std::optional<PartitionTable> read(const Disk& disk) {
  const auto mbr = read_mbr_sector(disk, 0);
  if (!mbr || !has_table(*mbr)) {
    return std::nullopt;
  }
  TableBuilder builder(disk, *mbr);
  for (unsigned slot = 0; slot < mbr->entries.size(); ++slot) {
    if (mbr->entries[slot].count != 0) {
      builder.add_primary(mbr->entries[slot], slot + 1);
    }
  }
  for (const MbrEntry& entry : mbr->entries) {
    if (entry.count != 0 && is_extended(entry)) {
      builder.add_logical(entry);
    }
  }
  return std::move(builder).finish();
}

}  // namespace

extern const PartitionScheme dos_scheme;
const PartitionScheme dos_scheme{"dos", read};

}  // namespace vimg
