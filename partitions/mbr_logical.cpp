#include "partitions/mbr_logical.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace vimg {
namespace {

constexpr std::size_t max_records = 1024;

// A record's own place and length, and those of the extended partition around the chain, in
// sectors.  All fit 33 bits, as each is a sum of at most two 32-bit fields.
struct Record {
  std::uint64_t start;
  std::uint64_t count;
  std::uint64_t extended_start;
  std::uint64_t extended_count;
};

// Only the first two slots are a partition and a link.  OS/2 fills the others too, but elsewhere
// they hold garbage, so the kernel wants those inside both the record and the extended partition.
bool is_believable(std::size_t slot, const MbrEntry& entry, const Record& record) {
  if (slot < 2) {
    return true;
  }
  const std::uint64_t start = record.start + entry.start;
  return std::uint64_t(entry.start) + entry.count <= record.count &&
         start + entry.count <= record.extended_start + record.extended_count;
}

void collect_partitions(const MbrSector& sector, const Record& record,
                        std::vector<LogicalPartition>& out) {
  for (std::size_t slot = 0; slot < sector.entries.size(); ++slot) {
    const MbrEntry& entry = sector.entries[slot];
    if (entry.count != 0 && !is_extended(entry) && is_believable(slot, entry, record)) {
      out.push_back({record.start + entry.start, entry.count, entry});
    }
  }
}

// The record that the first link of `sector` leads to; links count from the extended partition.
std::optional<Record> next_record(const MbrSector& sector, const Record& record) {
  const auto link = std::ranges::find_if(
      sector.entries, [](const MbrEntry& entry) { return entry.count != 0 && is_extended(entry); });
  if (link == sector.entries.end()) {
    return std::nullopt;
  }
  return Record{record.extended_start + link->start, link->count, record.extended_start,
                record.extended_count};
}

}  // namespace

LogicalChain::LogicalChain(const Disk& disk, std::uint32_t sector_size,
                           std::vector<std::string>& problems)
    : disk_(disk), sector_size_(sector_size), problems_(problems) {}

bool LogicalChain::may_visit(std::uint64_t sector) {
  if (visited_.size() == max_records) {
    problems_.push_back(
        fmt::format("dos: more than {} extended boot records; the rest is ignored", max_records));
    return false;
  }
  if (!visited_.insert(sector).second) {
    problems_.push_back(
        fmt::format("dos: the chain of logical partitions returns to its record at {:#x}",
                    sector * sector_size_));
    return false;
  }
  return true;
}

// Links may lead backwards: partitioning tools append a partition made in a gap to the chain's end.
// The chain ends all the same, as no record is visited twice and their number is limited.
std::vector<LogicalPartition> LogicalChain::follow(const MbrEntry& extended) {
  std::vector<LogicalPartition> partitions;
  std::optional<Record> record =
      Record{extended.start, extended.count, extended.start, extended.count};
  while (record && may_visit(record->start)) {
    const std::uint64_t offset = record->start * sector_size_;
    const auto sector = read_mbr_sector(disk_, offset);
    if (!sector) {
      problems_.push_back(fmt::format("dos: no extended boot record at {:#x}", offset));
      break;
    }
    collect_partitions(*sector, *record, partitions);
    record = next_record(*sector, *record);
  }
  return partitions;
}

}  // namespace vimg
