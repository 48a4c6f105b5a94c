#include "formats/vhdx_log.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/vhdx_header.h"

namespace vimg::vhdx {
namespace {

// What the search may read, in lengths of the log.  Every byte belongs to one entry and perhaps to
// a few older ones that it overwrote; only a hostile log has more.
constexpr std::uint64_t budget_factor = 8;
constexpr std::uint64_t window_size = 64U << 10;  // bytes, of a log that is a multiple of 1 MiB

bool is_data_of(const LogDataSector& sector, std::uint64_t sequence_number) noexcept {
  return sector.signature == sector_signature &&
         sector.sequence_high == std::uint32_t(sequence_number >> 32) &&
         sector.sequence_low == std::uint32_t(sequence_number);
}

// True when the descriptors are of this entry, and each data descriptor has its sector.
bool has_valid_descriptors(const LogEntry& entry) {
  std::uint64_t data = data_begin(entry.header);
  for (std::uint32_t i = 0; i < entry.header.descriptor_count; ++i) {
    const LogDescriptor descriptor = entry.descriptor(i);
    const bool is_data = descriptor.signature == data_signature;
    if ((!is_data && descriptor.signature != zero_signature) ||
        descriptor.file_offset % log_sector != 0 ||
        descriptor.sequence_number != entry.header.sequence_number) {
      return false;
    }
    if (is_data &&
        (!fits(data, log_sector, entry.content.size()) ||
         !is_data_of(load<LogDataSector>(entry.content, data), entry.header.sequence_number))) {
      return false;
    }
    data += is_data ? log_sector : 0;
  }
  return true;
}

}  // namespace

std::uint64_t data_begin(const LogEntryHeader& header) noexcept {
  return round_up(sizeof(header) + header.descriptor_count * std::uint64_t{sizeof(LogDescriptor)},
                  log_sector);
}

LogDescriptor LogEntry::descriptor(std::uint32_t index) const noexcept {
  return load<LogDescriptor>(content, sizeof(header) + index * sizeof(LogDescriptor));
}

LogReader::LogReader(const Disk& file, const Header& header)
    : file_(file),
      offset_(header.log_offset),
      length_(header.log_length),
      guid_(header.log_guid),
      budget_(length_ * budget_factor) {
  if (length_ > max_log_length) {
    throw_unsupported(layer, fmt::format("a log of {:#x} bytes is to be replayed; at most {:#x} "
                                         "are supported",
                                         length_, max_log_length));
  }
}

void LogReader::read_ring(std::uint64_t place, Bytes out) const {
  const std::uint64_t first = std::min<std::uint64_t>(out.size(), length_ - place);
  file_.read(offset_ + place, out.first(first));
  if (first < out.size()) {
    file_.read(offset_, out.subspan(first));
  }
}

// Everything that decides how much is read.
bool LogReader::is_plausible(const LogEntryHeader& header) const {
  return header.signature == log_signature && header.log_guid == guid_ &&
         header.sequence_number != 0 && header.length != 0 && header.length <= length_ &&
         header.length % log_sector == 0 && header.tail % log_sector == 0 &&
         header.tail < length_ && data_begin(header) <= header.length;
}

LogEntryHeader LogReader::header_at(std::uint64_t place) {
  if (window_.empty() || place - window_place_ >= window_.size()) {
    window_place_ = round_down(place, window_size);
    window_.resize(window_size);
    file_.read(offset_ + window_place_, window_);
  }
  return load<LogEntryHeader>(window_, place - window_place_);
}

bool LogReader::try_read(std::uint64_t place, LogEntry& entry) {
  entry.place = place;
  entry.header = header_at(place);
  if (!is_plausible(entry.header)) {
    return false;
  }
  entry.content.resize(entry.header.length);
  read_ring(place, entry.content);
  return checksum_of(entry.content, offsetof(LogEntryHeader, checksum)) == entry.header.checksum &&
         has_valid_descriptors(entry);
}

LogEntry LogReader::read_entry(std::uint64_t place) {
  LogEntry entry;
  if (!try_read(place, entry)) {
    throw_corrupt(layer, fmt::format("the log entry at {:#x} has changed", offset_ + place));
  }
  return entry;
}

// The whole entries from `place` on, each numbered one above the one before.  It ends, as each
// takes its length from the budget.
std::vector<LogReader::Summary> LogReader::sequence_from(std::uint64_t place) {
  std::vector<Summary> sequence;
  LogEntry entry;
  while (true) {
    const bool is_whole = try_read(place, entry);
    const std::uint64_t looked_at = std::max<std::uint64_t>(entry.content.size(), log_sector);
    if (looked_at > budget_) {
      throw_corrupt(layer, "the log is full of broken entries");
    }
    budget_ -= looked_at;
    if (!is_whole || (!sequence.empty() &&
                      entry.header.sequence_number != sequence.back().sequence_number + 1)) {
      return sequence;
    }
    sequence.push_back(
        {place, entry.header.length, entry.header.tail, entry.header.sequence_number});
    place = (place + entry.header.length) % length_;
    entry.content.clear();
  }
}

// Spec: [MS-VHDX] 2.3.3, "Log Replay".  The start moves forward in the ring with every step, and
// passing its beginning again ends the search.
std::vector<std::uint64_t> LogReader::active_sequence() {
  std::vector<std::uint64_t> active;
  std::uint64_t active_number = 0;
  std::uint64_t start = 0;
  while (true) {
    const std::vector<Summary> sequence = sequence_from(start);
    std::uint64_t next = start + log_sector;
    if (!sequence.empty()) {
      const Summary& head = sequence.back();
      const auto tail = std::ranges::find(sequence, head.tail, &Summary::place);
      if (tail != sequence.end() && head.sequence_number > active_number) {
        active_number = head.sequence_number;
        active.clear();
        std::transform(tail, sequence.end(), std::back_inserter(active),
                       [](const Summary& entry) { return entry.place; });
      }
      next = (head.place + head.length) % length_;
    }
    if (next <= start || next >= length_) {
      return active;
    }
    start = next;
  }
}

}  // namespace vimg::vhdx
