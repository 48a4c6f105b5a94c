// gpt: the GUID Partition Table of UEFI 2.10, section 5.3.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/utf16.h"
#include "partitions/gpt_header.h"
#include "partitions/mbr_sector.h"
#include "partitions/placement.h"
#include "partitions/scheme.h"
#include "partitions/type_names.h"

namespace vimg {
namespace {

constexpr char layer[] = "gpt";
constexpr std::uint64_t primary_lba = 1;
constexpr std::uint64_t legacy_boot_attribute = 1U << 2;  // "legacy BIOS bootable"

// Both copies as they were found.
struct Copies {
  std::uint32_t sector_size;
  GptCopy primary;
  GptCopy backup;
  std::uint64_t backup_lba = 0;

  const GptCopy& best() const { return primary.usable() ? primary : backup; }
};

std::uint64_t last_lba(const Disk& disk, std::uint32_t sector_size) {
  return disk.size() / sector_size - 1;  // wraps on a disk without a sector: beyond every end
}

// The disk's own sector size first: the image of a 4K disk is mostly attached as one of 512.
std::array<std::uint32_t, 2> sector_size_candidates(const Disk& disk) {
  return disk.sector_size() == 4096 ? std::array{4096U, 512U} : std::array{512U, 4096U};
}

// By the first sector size that puts a primary header where one is.
std::optional<Copies> find_by_primary(const Disk& disk) {
  for (const std::uint32_t size : sector_size_candidates(disk)) {
    Copies copies{size, read_gpt_copy(disk, size, primary_lba), {}};
    if (copies.primary.present) {
      return copies;
    }
  }
  return std::nullopt;
}

// By the first sector size that puts a backup header where one is, or else the disk's own.
Copies find_by_backup(const Disk& disk) {
  const auto sizes = sector_size_candidates(disk);
  const bool second = !read_gpt_copy(disk, sizes[0], last_lba(disk, sizes[0])).present &&
                      read_gpt_copy(disk, sizes[1], last_lba(disk, sizes[1])).present;
  const std::uint32_t size = sizes[second ? 1 : 0];
  return {size, read_gpt_copy(disk, size, primary_lba), {}};
}

// The backup lies in the last sector, or, on an image that was grown, where the primary says.
void find_backup(const Disk& disk, Copies& copies) {
  copies.backup_lba = last_lba(disk, copies.sector_size);
  copies.backup = read_gpt_copy(disk, copies.sector_size, copies.backup_lba);
  if (!copies.backup.usable() && copies.primary.head &&
      copies.primary.head->alternate_lba != copies.backup_lba) {
    const std::uint64_t lba = copies.primary.head->alternate_lba;
    GptCopy elsewhere = read_gpt_copy(disk, copies.sector_size, lba);
    if (elsewhere.usable()) {
      copies.backup = std::move(elsewhere);
      copies.backup_lba = lba;
    }
  }
}

[[noreturn]] void throw_no_copy(const Copies& copies) {
  throw_corrupt(layer, fmt::format("there is a protective MBR, but neither header can be used: the "
                                   "primary in sector 1: {}; the backup in sector {}: {}",
                                   copies.primary.fault, copies.backup_lba, copies.backup.fault));
}

bool same_table(const GptHeader& a, const GptHeader& b) {
  return std::ranges::equal(bytes_of(a.disk_guid), bytes_of(b.disk_guid)) &&
         a.first_usable_lba == b.first_usable_lba && a.last_usable_lba == b.last_usable_lba &&
         a.entry_count == b.entry_count && a.entry_size == b.entry_size &&
         a.entries_crc == b.entries_crc;
}

void report_copies(const Copies& copies, std::uint64_t disk_last_lba,
                   std::vector<std::string>& problems) {
  if (!copies.primary.usable()) {
    problems.push_back(
        fmt::format("gpt: the primary header in sector 1 cannot be used ({}); the "
                    "backup in sector {} is used",
                    copies.primary.fault, copies.backup_lba));
    return;
  }
  if (!copies.backup.usable()) {
    problems.push_back(fmt::format("gpt: the backup header in sector {} cannot be used: {}",
                                   copies.backup_lba, copies.backup.fault));
    return;
  }
  if (copies.backup_lba != disk_last_lba) {
    problems.push_back(fmt::format("gpt: the backup header lies in sector {}, not in the last, {}",
                                   copies.backup_lba, disk_last_lba));
  }
  if (!same_table(*copies.primary.head, *copies.backup.head)) {
    problems.push_back("gpt: the backup differs from the primary, which is used");
  }
}

void report_mbr(const std::optional<MbrSector>& mbr, std::vector<std::string>& problems) {
  if (!mbr) {
    problems.push_back("gpt: there is no protective MBR");
    return;
  }
  const bool hybrid = std::ranges::any_of(mbr->entries, [](const MbrEntry& entry) {
    return entry.type != mbr_type_gpt && entry.count != 0;
  });
  if (hybrid) {
    problems.push_back("gpt: the MBR is a hybrid one; its own partitions are ignored");
  }
}

std::optional<Partition> make_partition(const GptEntry& entry, unsigned number,
                                        const GptHeader& header, std::uint32_t sector_size,
                                        const Disk& disk, std::vector<std::string>& problems) {
  const std::string who = fmt::format("gpt: partition {}", number);
  if (entry.last_lba < entry.first_lba) {
    problems.push_back(fmt::format("{} ends at sector {}, before it begins at sector {}", who,
                                   entry.last_lba.value(), entry.first_lba.value()));
    return std::nullopt;
  }
  const std::uint64_t count =
      checked_add(entry.last_lba - entry.first_lba, 1).value_or(entry.last_lba);
  const auto range = place(entry.first_lba, count, sector_size, disk.size(), who, problems);
  if (!range) {
    return std::nullopt;
  }
  if (entry.first_lba < header.first_usable_lba || entry.last_lba > header.last_usable_lba) {
    problems.push_back(fmt::format(
        "{} (sectors {} to {}) leaves the usable sectors {} to {}", who, entry.first_lba.value(),
        entry.last_lba.value(), header.first_usable_lba.value(), header.last_usable_lba.value()));
  }
  const std::string type = guid_text(entry.type);
  return Partition{.number = number,
                   .offset = range->offset,
                   .length = range->length,
                   .type = type,
                   .type_name = std::string(gpt_type_name(type)),
                   .label = utf8_from_utf16(entry.name),
                   .uuid = guid_text(entry.unique),
                   .bootable = (entry.attributes & legacy_boot_attribute) != 0};
}

PartitionTable make_table(const Disk& disk, const Copies& copies) {
  const GptCopy& copy = copies.best();
  PartitionTable table{"gpt", guid_text(copy.head->disk_guid), copies.sector_size, {}, {}};
  report_copies(copies, last_lba(disk, copies.sector_size), table.problems);
  for (std::size_t i = 0; i < copy.entries.size(); ++i) {
    if (is_zero(copy.entries[i].type)) {
      continue;
    }
    auto partition = make_partition(copy.entries[i], unsigned(i + 1), *copy.head,
                                    copies.sector_size, disk, table.problems);
    if (partition) {
      table.partitions.push_back(std::move(*partition));
    }
  }
  report_overlaps(table.partitions, layer, table.problems);
  return table;
}

std::optional<PartitionTable> read(const Disk& disk) {
  const auto mbr = read_mbr_sector(disk, 0);
  if (mbr && !has_protective_entry(*mbr)) {
    return std::nullopt;  // an MBR written over a GPT: what is left of the GPT is out of date
  }
  std::optional<Copies> found = find_by_primary(disk);
  // Whoever lost the MBR may have put something else in its place, which the backup at the far end
  // would outlive; only a primary that is whole speaks for itself.
  if (!mbr && !(found && found->primary.usable())) {
    return std::nullopt;
  }
  Copies copies = found ? *std::move(found) : find_by_backup(disk);
  find_backup(disk, copies);
  if (!copies.best().usable()) {
    throw_no_copy(copies);
  }
  PartitionTable table = make_table(disk, copies);
  report_mbr(mbr, table.problems);
  return table;
}

}  // namespace

extern const PartitionScheme gpt_scheme;
const PartitionScheme gpt_scheme{"gpt", read};

}  // namespace vimg
