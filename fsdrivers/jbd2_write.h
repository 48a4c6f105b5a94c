// Writing a transaction to a JBD2 log, so that many blocks change all at once.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "disk/disk.h"
#include "fsdrivers/jbd2_log.h"

namespace vimg {

using LogContent = std::map<std::uint64_t, std::vector<std::byte>>;  // whole blocks, by number

// The blocks of the log that a transaction of `count` blocks takes.
std::uint64_t transaction_length(const JournalLog& log, std::uint64_t count) noexcept;

// Writes `content` as transaction `sequence` from block `position` of the log on, where there is
// room for it.  It counts once all of this is on the disk, so the caller flushes.
void write_transaction(const JournalLog& log, Disk& disk, std::uint32_t position,
                       std::uint32_t sequence, const LogContent& content);

}  // namespace vimg
