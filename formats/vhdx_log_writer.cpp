#include "formats/vhdx_log_writer.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vhdx_log.h"

namespace vimg::vhdx {
namespace {

constexpr std::uint64_t max_entry_pages = 1024;

LogDescriptor descriptor_of(const TablePage& page, std::uint64_t sequence_number) {
  LogDescriptor descriptor{data_signature, {}, {}, page.offset, sequence_number};
  const ConstBytes content = page.content;
  std::ranges::copy(content.first(descriptor.leading.size()), descriptor.leading.begin());
  std::ranges::copy(content.last(descriptor.trailing.size()), descriptor.trailing.begin());
  return descriptor;
}

LogDataSector sector_of(const TablePage& page, std::uint64_t sequence_number) {
  LogDataSector sector{
      sector_signature, std::uint32_t(sequence_number >> 32), {}, std::uint32_t(sequence_number)};
  std::ranges::copy(
      ConstBytes(page.content).subspan(sizeof(LogDescriptor::leading), sector.data.size()),
      sector.data.begin());
  return sector;
}

}  // namespace

LogWriter::LogWriter(Disk& file, CurrentHeader& header)
    : file_(file), header_(header), guid_(random_guid()) {
  const std::uint64_t length = header.header.log_length;
  if (length == 0 || length > max_log_length) {
    throw_unsupported(layer, fmt::format("image with a log of {:#x} bytes, not {:#x} to {:#x}, "
                                         "can only be read",
                                         length, mib, max_log_length));
  }
}

std::uint64_t LogWriter::half() const noexcept { return header_.header.log_length / 2; }

bool LogWriter::is_announced() const noexcept { return header_.header.log_guid == guid_; }

// Of the sectors in a half the last one stays free: no entry is continued by that of the other
// half, which is older or newer by one.  One sector in 128 is taken by descriptors.
std::uint64_t LogWriter::max_pages() const noexcept {
  const std::uint64_t sectors = half() / log_sector - 1;
  return std::min((sectors - 1) * 127 / 128, max_entry_pages);
}

std::vector<std::byte> LogWriter::entry_of(const std::vector<TablePage>& pages) const {
  LogEntryHeader header{};
  header.signature = log_signature;
  header.descriptor_count = std::uint32_t(pages.size());
  header.sequence_number = sequence_number_;
  header.log_guid = guid_;
  header.tail = std::uint32_t(sequence_number_ % 2 * half());
  header.flushed_file_offset = round_down(file_.size(), mib);
  header.last_file_offset = round_up(file_.size(), mib);
  const std::uint64_t data = data_begin(header);
  header.length = std::uint32_t(data + pages.size() * log_sector);
  std::vector<std::byte> entry(header.length);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    store(Bytes(entry), sizeof(header) + i * sizeof(LogDescriptor),
          descriptor_of(pages[i], sequence_number_));
    store(Bytes(entry), data + i * log_sector, sector_of(pages[i], sequence_number_));
  }
  store(Bytes(entry), 0, header);
  store(Bytes(entry), offsetof(LogEntryHeader, checksum),
        le32(checksum_of(entry, offsetof(LogEntryHeader, checksum))));
  return entry;
}

// The header names the log only after there is an entry in it.
void LogWriter::write(const std::vector<TablePage>& pages) {
  file_.flush();
  const std::vector<std::byte> entry = entry_of(pages);
  file_.write(header_.header.log_offset + sequence_number_ % 2 * half(), entry);
  file_.flush();
  if (!is_announced()) {
    Header wanted = header_.header;
    wanted.log_guid = guid_;
    update_headers(file_, header_, wanted);
  }
  ++sequence_number_;
}

void LogWriter::close() {
  if (is_announced()) {
    Header wanted = header_.header;
    wanted.log_guid = {};
    update_headers(file_, header_, wanted);
  }
}

}  // namespace vimg::vhdx
