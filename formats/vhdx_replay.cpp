// VHDX log: replaying it, into the file or in memory.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/overlay_disk.h"
#include "disk/slice.h"
#include "formats/vhdx_replay.h"

namespace vimg::vhdx {
namespace {

// The sectors that a log of max_log_length can hold.
constexpr std::uint64_t max_overlay = max_log_length;

// A file that reads as zeros up to where its log says that it ends.
class ExtendedDisk final : public Disk {
 public:
  ExtendedDisk(DiskPtr file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  std::uint64_t size() const noexcept override { return size_; }

 private:
  void do_read(std::uint64_t offset, Bytes out) const override { read_padded(*file_, offset, out); }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    return offset < file_->size() ? file_->extent(offset, max) : Extent{max, Extent::Kind::hole};
  }

  const DiskPtr file_;
  const std::uint64_t size_;
};

// Headers change by their own rules, and the log is what is read here.
void validate_target(const Header& header, std::uint64_t offset, std::uint64_t length,
                     std::uint64_t size) {
  const std::uint64_t log_end = header.log_offset + header.log_length;
  if (!fits(offset, length, size) || offset < region_table_offsets[0] ||
      (offset < log_end && header.log_offset < offset + length)) {
    throw_corrupt(layer, fmt::format("the log changes {:#x} (+{:#x}), which lies in the headers, "
                                     "in the log or beyond the end {:#x}",
                                     offset, length, size));
  }
}

std::array<std::byte, log_sector> sector_of(const LogDescriptor& descriptor,
                                            const LogDataSector& data) {
  std::array<std::byte, log_sector> sector;
  const auto middle = std::ranges::copy(descriptor.leading, sector.begin()).out;
  const auto trailing = std::ranges::copy(data.data, middle).out;
  std::ranges::copy(descriptor.trailing, trailing);
  return sector;
}

void replay_entry(const LogEntry& entry, const Header& header, Disk& target) {
  std::uint64_t data = data_begin(entry.header);
  for (std::uint32_t i = 0; i < entry.header.descriptor_count; ++i) {
    const LogDescriptor descriptor = entry.descriptor(i);
    const std::uint64_t offset = descriptor.file_offset;
    if (descriptor.signature == zero_signature) {
      const std::uint64_t length = load<le64>(descriptor.leading);
      validate_target(header, offset, length, target.size());
      target.write_zeros(offset, length);
      continue;
    }
    validate_target(header, offset, log_sector, target.size());
    target.write(offset, sector_of(descriptor, load<LogDataSector>(entry.content, data)));
    data += log_sector;
  }
}

// How long the file must be for what `head`, the last entry, was written with.
std::uint64_t size_after(const LogEntryHeader& head, std::uint64_t file_size) {
  if (head.flushed_file_offset > file_size) {
    throw_corrupt(layer, fmt::format("the file ends at {:#x}, but was {:#x} long when its log was "
                                     "written",
                                     file_size, head.flushed_file_offset.value()));
  }
  if (head.last_file_offset > max_file_size) {
    throw_corrupt(layer, fmt::format("the log makes the file {:#x} bytes long; at most {:#x} are "
                                     "possible",
                                     head.last_file_offset.value(), max_file_size));
  }
  return std::max(file_size, round_up(head.last_file_offset, mib));
}

}  // namespace

bool has_log(const Header& header) noexcept { return !is_zero(header.log_guid); }

PendingLog::PendingLog(const Disk& file, const Header& header)
    : header_(header), reader_(file, header), sequence_(reader_.active_sequence()) {
  size_ = sequence_.empty() ? file.size()
                            : size_after(reader_.read_entry(sequence_.back()).header, file.size());
}

void PendingLog::replay_into(Disk& target) {
  for (const std::uint64_t place : sequence_) {
    replay_entry(reader_.read_entry(place), header_, target);
  }
}

DiskPtr make_replayed(DiskPtr file, const Header& header) {
  if (!has_log(header)) {
    return file;
  }
  PendingLog log(*file, header);
  if (log.is_empty()) {
    return file;
  }
  DiskPtr extended = std::make_shared<ExtendedDisk>(file, log.file_size());
  DiskPtr overlay = make_memory_overlay(std::move(extended), max_overlay);
  log.replay_into(*overlay);
  return make_read_only(std::move(overlay));
}

void replay_into_file(Disk& file, CurrentHeader& current) {
  PendingLog log(file, current.header);
  Header wanted = current.header;
  wanted.file_write_guid = random_guid();
  if (!log.is_empty()) {
    update_headers(file, current, wanted);
    if (file.size() < log.file_size()) {
      file.resize(log.file_size());
    }
    log.replay_into(file);
  }
  wanted.log_guid = {};
  update_headers(file, current, wanted);
}

}  // namespace vimg::vhdx
