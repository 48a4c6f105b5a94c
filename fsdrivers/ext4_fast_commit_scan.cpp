#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_checksum.h"
#include "fsdrivers/ext4_fast_commit.h"

namespace vimg {
namespace {

constexpr const char* layer = "ext4";
constexpr std::size_t max_name = 255;
constexpr std::size_t old_inode_size = 128;

struct TagHeader {
  le16 kind;
  le16 length;  // bytes of the value that follows
};
static_assert(sizeof(TagHeader) == 4 && OnDisk<TagHeader>);

struct HeadValue {
  le32 features;
  le32 transaction;
};
static_assert(sizeof(HeadValue) == 8 && OnDisk<HeadValue>);

// The rest of the block follows and counts for nothing.
struct TailValue {
  le32 transaction;
  le32 checksum;  // crc32c of all tags since the last tail, and of this one up to here
};
static_assert(sizeof(TailValue) == 8 && OnDisk<TailValue>);

// True when a value of `length` bytes holds what its kind asks for.
bool has_valid_length(FastCommitKind kind, std::size_t length) noexcept {
  switch (kind) {
    case FastCommitKind::add_range:
      return length == 16;
    case FastCommitKind::delete_range:
      return length == 12;
    case FastCommitKind::create:
    case FastCommitKind::link:
    case FastCommitKind::unlink:
      return length > 8 && length <= 8 + max_name;
    case FastCommitKind::inode:
      return length >= 4 + old_inode_size;
    case FastCommitKind::head:
    case FastCommitKind::tail:
      return length >= 8;
    case FastCommitKind::padding:
      return true;
  }
  return false;
}

class FastCommitScanner {
 public:
  FastCommitScanner(const JournalLog& log, std::uint32_t transaction)
      : log_(log), transaction_(transaction) {}

  std::vector<FastCommitTag> scan();

 private:
  enum class Step { go_on, stop };

  Step visit_block(ConstBytes block);
  Step visit_tag(FastCommitKind kind, ConstBytes tag);
  Step visit_head(ConstBytes value) const;
  Step visit_tail(ConstBytes tag);

  const JournalLog& log_;
  std::uint32_t transaction_;
  std::uint32_t sum_ = 0;
  bool begun_ = false;                  // the head was seen
  std::vector<FastCommitTag> pending_;  // since the last tail
  std::vector<FastCommitTag> complete_;
};

std::vector<FastCommitTag> FastCommitScanner::scan() {
  std::vector<std::byte> block(log_.block_size());
  for (std::uint32_t position = log_.fast_commit_begin(); position < log_.fast_commit_end();
       ++position) {
    log_.read(position, block);
    if (visit_block(block) == Step::stop) {
      break;
    }
  }
  return std::move(complete_);
}

FastCommitScanner::Step FastCommitScanner::visit_block(ConstBytes block) {
  while (block.size() >= sizeof(TagHeader)) {
    const auto header = load<TagHeader>(block);
    const auto kind = FastCommitKind(header.kind.value());
    const std::size_t length = sizeof header + header.length;
    if (length > block.size() || !has_valid_length(kind, header.length) ||
        (!begun_ && kind != FastCommitKind::head) ||
        visit_tag(kind, block.first(length)) == Step::stop) {
      return Step::stop;
    }
    block = block.subspan(length);
  }
  return Step::go_on;
}

FastCommitScanner::Step FastCommitScanner::visit_tag(FastCommitKind kind, ConstBytes tag) {
  if (kind == FastCommitKind::tail) {
    return visit_tail(tag);
  }
  sum_ = ext4::crc32c(sum_, tag);
  const ConstBytes value = tag.subspan(sizeof(TagHeader));
  if (kind == FastCommitKind::head) {
    begun_ = true;
    return visit_head(value);
  }
  if (kind != FastCommitKind::padding) {
    pending_.push_back({kind, {value.begin(), value.end()}});
  }
  return Step::go_on;
}

FastCommitScanner::Step FastCommitScanner::visit_head(ConstBytes value) const {
  const auto head = load<HeadValue>(value);
  if (head.transaction != transaction_) {
    return Step::stop;
  }
  if (head.features != 0) {
    throw_unsupported(layer,
                      fmt::format("fast commits with features {:#x}", head.features.value()));
  }
  return Step::go_on;
}

// What comes after the last good tail is left from older fast commits, or was cut by the crash.
FastCommitScanner::Step FastCommitScanner::visit_tail(ConstBytes tag) {
  const auto tail = load<TailValue>(tag, sizeof(TagHeader));
  const std::size_t summed = sizeof(TagHeader) + offsetof(TailValue, checksum);
  if (tail.transaction != transaction_ || tail.checksum != ext4::crc32c(sum_, tag.first(summed))) {
    return Step::stop;
  }
  complete_.insert(complete_.end(), std::make_move_iterator(pending_.begin()),
                   std::make_move_iterator(pending_.end()));
  pending_.clear();
  sum_ = 0;
  return Step::go_on;
}

}  // namespace

std::vector<FastCommitTag> scan_fast_commits(const JournalLog& log, std::uint32_t transaction) {
  return FastCommitScanner(log, transaction).scan();
}

}  // namespace vimg
