#include "formats/vdi_check.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "disk/checked.h"
#include "formats/vdi_layout.h"
#include "formats/vdi_map.h"

namespace vimg::vdi {
namespace {

constexpr std::uint64_t scan_entries = 16384;

// Goes through the table once; a bit for each block that fits into the file.
class Check {
 public:
  Check(const Disk& file, const Header& header)
      : file_(file),
        header_(header),
        seen_(file.size() > header.data_offset
                  ? divide_up(file.size() - header.data_offset, header.stride())
                  : 0) {}

  CheckReport run() &&;

 private:
  void look_at(std::uint64_t index, std::uint32_t number);
  void count_unused();

  const Disk& file_;
  const Header& header_;
  std::vector<bool> seen_;
  CheckReport report_;
};

void Check::look_at(std::uint64_t index, std::uint32_t number) {
  if (number >= entry_zero) {
    return;
  }
  ++report_.allocated_blocks;
  if (number >= seen_.size() || header_.place(number) >= file_.size()) {
    report_.add_corruption(
        fmt::format("block {} lies at block {:#x} of the file, beyond its end", index, number));
    return;
  }
  report_.image_end = std::max(report_.image_end, header_.place(number) + header_.block_size);
  if (seen_[number]) {
    report_.add_corruption(
        fmt::format("block {} lies at block {:#x} of the file, where another lies", index, number));
  }
  seen_[number] = true;
}

// Those in the middle cannot be given back; those at the end, and a wrong count, can.
void Check::count_unused() {
  for (std::size_t number = 0; number < seen_.size(); ++number) {
    if (!seen_[number]) {
      report_.add_leak(fmt::format("block {:#x} of the file is not used", number));
    }
  }
  if (header_.blocks_allocated != report_.allocated_blocks) {
    report_.add_leak(fmt::format("the header has {} blocks allocated, the table {}",
                                 header_.blocks_allocated, report_.allocated_blocks));
  }
}

CheckReport Check::run() && {
  report_.total_blocks = header_.block_count;
  std::vector<le32> entries;
  for (std::uint64_t index = 0; index < header_.block_count; index += entries.size()) {
    entries.resize(std::min(scan_entries, header_.block_count - index));
    file_.read(header_.entry_offset(index), std::as_writable_bytes(std::span(entries)));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      look_at(index + i, entries[i]);
    }
  }
  count_unused();
  return std::move(report_);
}

}  // namespace

// FormatDriver::check has it by value.  NOLINTNEXTLINE(performance-unnecessary-value-param)
CheckReport check(DiskPtr file, OpenContext&, Repair repair) {
  const Header header = read_header(*file);
  CheckReport report = Check(*file, header).run();
  if (repair == Repair::nothing || report.corruptions > 0 || report.leaks == 0) {
    return report;
  }
  const std::uint64_t used = blocks_in_use(*file, header);
  file->write(header.allocated_offset, bytes_of(le32(std::uint32_t(used))));
  file->resize(header.data_offset + used * header.stride());
  file->flush();
  const CheckReport after = Check(*file, read_header(*file)).run();
  report.leaks_fixed = report.leaks - after.leaks;
  return report;
}

}  // namespace vimg::vdi
