#include "fsdrivers/jbd2_scan.h"

namespace vimg {
namespace {

constexpr std::size_t uuid_size = 16;

struct Tag {
  std::uint64_t target;
  std::uint32_t checksum;
  std::uint32_t flags;
};

Tag load_tag3(ConstBytes data) noexcept {
  const auto tag = load<jbd2::BlockTag3>(data);
  return {tag.block, tag.checksum, tag.flags};
}

Tag load_tag(ConstBytes data) noexcept {
  return {load<be32>(data), load<be16>(data, 4), load<be16>(data, 6)};
}

Tag load_tag(const JournalLog& log, ConstBytes data) noexcept {
  Tag tag = log.has_incompat(jbd2::incompat_checksum_v3) ? load_tag3(data) : load_tag(data);
  if (log.has_incompat(jbd2::incompat_64bit)) {
    tag.target |= std::uint64_t(load<be32>(data, 8)) << 32;
  }
  return tag;
}

// What of a descriptor or revoke block is not its checksum.
ConstBytes without_tail(const JournalLog& log, ConstBytes block) noexcept {
  return log.has_block_checksums() ? block.first(block.size() - jbd2::tail_size) : block;
}

}  // namespace

std::size_t tag_size(const JournalLog& log) noexcept {
  if (log.has_incompat(jbd2::incompat_checksum_v3)) {
    return sizeof(jbd2::BlockTag3);
  }
  const std::size_t padding = log.has_incompat(jbd2::incompat_checksum_v2) ? 2 : 0;
  const std::size_t high = log.has_incompat(jbd2::incompat_64bit) ? sizeof(be32) : 0;
  return 8 + high + padding;
}

std::vector<LoggedBlock> parse_descriptor(const JournalLog& log, ConstBytes block,
                                          std::uint32_t position) {
  const std::size_t size = tag_size(log);
  ConstBytes rest = without_tail(log, block).subspan(sizeof(jbd2::BlockHeader));
  std::vector<LoggedBlock> blocks;
  while (rest.size() >= size) {
    const Tag tag = load_tag(log, rest);
    const auto form = (tag.flags & jbd2::tag_escaped) != 0 ? LoggedAs::escaped : LoggedAs::is;
    blocks.push_back({tag.target, log.after(position, blocks.size()), tag.checksum, form});
    const std::size_t uuid = (tag.flags & jbd2::tag_same_uuid) != 0 ? 0 : uuid_size;
    if ((tag.flags & jbd2::tag_last) != 0 || rest.size() < size + uuid) {
      break;
    }
    rest = rest.subspan(size + uuid);
  }
  return blocks;
}

std::optional<std::vector<std::uint64_t>> parse_revokes(const JournalLog& log, ConstBytes block) {
  const ConstBytes usable = without_tail(log, block);
  const std::size_t used = load<jbd2::RevokeHeader>(block).used;
  if (used < sizeof(jbd2::RevokeHeader) || used > usable.size()) {
    return std::nullopt;
  }
  const bool wide = log.has_incompat(jbd2::incompat_64bit);
  const std::size_t size = wide ? sizeof(be64) : sizeof(be32);
  std::vector<std::uint64_t> revoked;
  for (std::size_t at = sizeof(jbd2::RevokeHeader); at + size <= used; at += size) {
    revoked.push_back(wide ? load<be64>(block, at).value() : load<be32>(block, at).value());
  }
  return revoked;
}

}  // namespace vimg
