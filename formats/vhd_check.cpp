#include "formats/vhd_check.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "formats/vhd_layout.h"

namespace vimg::vhd {
namespace {

constexpr std::uint64_t scan_entries = 16384;

struct Block {
  std::uint64_t place;  // of its bitmap, in the file
  std::uint64_t index;
};

// The blocks in the order of their places; as many as fit into the file, or one is a corruption.
std::vector<Block> blocks_of(const Disk& file, const Header& header, CheckReport& report) {
  std::vector<Block> blocks;
  std::vector<be32> entries;
  for (std::uint64_t index = 0; index < header.table_entries; index += entries.size()) {
    entries.resize(std::min(scan_entries, header.table_entries - index));
    file.read(header.entry_offset(index), std::as_writable_bytes(std::span(entries)));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i] == no_block) {
        continue;
      }
      const std::uint64_t place = entries[i] * sector;
      ++report.allocated_blocks;
      if (!fits(place, header.stride(), file.size())) {
        report.add_corruption(fmt::format("block {} lies at {:#x}, beyond the file end {:#x}",
                                          index + i, place, file.size()));
      } else {
        blocks.push_back({place, index + i});
      }
    }
  }
  std::ranges::sort(blocks, {}, &Block::place);
  return blocks;
}

// Where the space for blocks begins.
std::uint64_t first_free(const Header& header) noexcept {
  return round_up(std::max<std::uint64_t>(header.table_offset + header.table_entries * sizeof(be32),
                                          header.footer.data_offset + sizeof(DynamicHeader)),
                  sector);
}

// Where the last of the parent's names ends.
std::uint64_t end_of_locators(const Header& header, std::uint64_t file_size) noexcept {
  std::uint64_t end = 0;
  for (const Locator& locator : header.dynamic.locators) {
    if (fits(locator.offset, locator.length, file_size)) {
      end = std::max(end, round_up(locator.offset + locator.length, sector));
    }
  }
  return end;
}

// Overlaps are corruptions, room for whole blocks between or behind them leaks.  Returns where the
// last thing in use ends.
std::uint64_t look_at(const std::vector<Block>& blocks, const Header& header,
                      std::uint64_t file_size, CheckReport& report) {
  const std::uint64_t footer =
      round_up(file_size, sector) - (header.footer_is_missing ? 0 : sector);
  std::uint64_t end = first_free(header);
  for (const Block& block : blocks) {
    if (block.place < end) {
      report.add_corruption(fmt::format("block {} at {:#x} lies over what ends at {:#x}",
                                        block.index, block.place, end));
    } else if (block.place - end >= header.stride()) {
      report.add_leak(fmt::format("the space from {:#x} to {:#x} is not used", end, block.place));
    }
    end = std::max(end, block.place + header.stride());
  }
  if (end > footer) {
    report.add_corruption(
        fmt::format("what ends at {:#x} lies over the footer at {:#x}", end, footer));
  }
  end = std::max(end, end_of_locators(header, file_size));
  if (footer > end && footer - end >= header.stride()) {
    report.add_leak(fmt::format("the space from {:#x} to the footer is not used", end));
  }
  return end;
}

CheckReport look_through(const Disk& file, const Header& header) {
  CheckReport report;
  report.total_blocks = header.table_entries;
  if (header.is_fixed()) {
    return report;
  }
  report.image_end = look_at(blocks_of(file, header, report), header, file.size(), report);
  if (header.footer_is_missing) {
    report.add_leak("the footer at the end is missing");
  }
  return report;
}

}  // namespace

// FormatDriver::check has it by value.  NOLINTNEXTLINE(performance-unnecessary-value-param)
CheckReport check(DiskPtr file, OpenContext&, Repair repair) {
  const Header header = read_header(*file);
  CheckReport report = look_through(*file, header);
  if (repair == Repair::nothing || report.corruptions > 0 || report.leaks == 0) {
    return report;
  }
  file->resize(report.image_end + sector);
  file->write(report.image_end, bytes_of(header.footer));
  file->flush();
  report.leaks_fixed = report.leaks - look_through(*file, read_header(*file)).leaks;
  return report;
}

}  // namespace vimg::vhd
