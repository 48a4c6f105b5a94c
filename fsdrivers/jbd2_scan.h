// Scanning a JBD2 log: which transactions were committed, and what is in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/bytes.h"
#include "fsdrivers/jbd2_log.h"

namespace vimg {

enum class LoggedAs { is, escaped };

// The new content of a block of the file system.
struct LoggedBlock {
  std::uint64_t target;    // the block of the file system
  std::uint32_t position;  // the block of the journal that holds the content
  std::uint32_t checksum;  // of v3, the low half of v2
  LoggedAs form;           // escaped: the content begins with block_magic, the log with zeros
};

struct Transaction {
  std::uint32_t sequence;
  std::vector<LoggedBlock> blocks;
  std::vector<std::uint64_t> revoked;  // blocks whose older content must not come back
};

struct LogScan {
  std::vector<Transaction> transactions;  // committed ones, oldest first
  // The number of the transaction that was not committed; fast commits carry it.
  std::uint32_t next_sequence;
  // Where it would begin, and how many blocks of the ring those before it take.
  std::uint32_t next_position;
  std::uint64_t used;
  // What is wrong with the last transaction, which was committed but is damaged and left out.
  std::optional<std::string> damage;
};

// Walks the log from its start to the first block that is not the expected one.  A damaged
// transaction that others follow is Error(EUCLEAN); one that ends the log was cut by a crash and
// is only reported (the kernel refuses here, e2fsck goes on like this).
LogScan scan_log(const JournalLog& log);

// The parts of the scan that read one block; for the scan and for tests.

// The bytes that one tag of a descriptor block takes, less its UUID.
std::size_t tag_size(const JournalLog& log) noexcept;
// The blocks that a descriptor block names; the first one's content is at `position`.
std::vector<LoggedBlock> parse_descriptor(const JournalLog& log, ConstBytes block,
                                          std::uint32_t position);
// The blocks that a revoke block names; nothing when it claims more than it can hold.
std::optional<std::vector<std::uint64_t>> parse_revokes(const JournalLog& log, ConstBytes block);

}  // namespace vimg
