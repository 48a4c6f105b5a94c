// VHDX log: changes of the structure that were noted and may not have been made yet.
#pragma once

#include <cstdint>
#include <vector>

#include "disk/disk.h"
#include "formats/vhdx_layout.h"

namespace vimg::vhdx {

// An entry of the log that is whole: its checksum is right, and so are its descriptors.
struct LogEntry {
  std::uint64_t place = 0;  // bytes from the log's beginning
  LogEntryHeader header{};
  std::vector<std::byte> content;  // all of it

  // `index` < header.descriptor_count.
  LogDescriptor descriptor(std::uint32_t index) const noexcept;
};

// Bytes from an entry's beginning to its first data sector.
std::uint64_t data_begin(const LogEntryHeader& header) noexcept;

// Reads the log that a validated header names, a ring of `length` bytes.
class LogReader {
 public:
  // `file` outlives it.  Throws Error(EOPNOTSUPP) for a log that is longer than max_log_length.
  LogReader(const Disk& file, const Header& header);

  // The entries that must be replayed, in this order, by where they are; empty when there is none.
  // Throws Error(EUCLEAN) when broken entries make the search too long.
  std::vector<std::uint64_t> active_sequence();
  // The entry that active_sequence() found at `place`.  Throws Error(EUCLEAN) when it is gone.
  LogEntry read_entry(std::uint64_t place);

 private:
  struct Summary {
    std::uint64_t place;
    std::uint64_t length;
    std::uint64_t tail;
    std::uint64_t sequence_number;
  };

  std::vector<Summary> sequence_from(std::uint64_t place);
  LogEntryHeader header_at(std::uint64_t place);
  bool try_read(std::uint64_t place, LogEntry& entry);
  void read_ring(std::uint64_t place, Bytes out) const;
  bool is_plausible(const LogEntryHeader& header) const;

  const Disk& file_;
  const std::uint64_t offset_;
  const std::uint64_t length_;
  const Guid guid_;
  std::uint64_t budget_;            // bytes of entries that may still be looked at
  std::uint64_t window_place_ = 0;  // of what was read last to look for headers
  std::vector<std::byte> window_;
};

}  // namespace vimg::vhdx
