#include <algorithm>
#include <array>
#include <ctime>
#include <string>

#include <fmt/format.h>

#include "fsdrivers/ext4_statistics.h"

namespace vimg::ext4 {
namespace {

std::string state_of(const Superblock& superblock) {
  if (has_incompat(superblock, incompat_recover)) {
    return "needs recovery";
  }
  const bool clean = (superblock.state & state_clean) != 0;
  const bool errors = (superblock.state & state_errors) != 0;
  return std::string(clean ? "clean" : "not clean") + (errors ? " with errors" : "");
}

std::string time_text(std::uint32_t low, std::uint8_t high) {
  const auto seconds = time_t(joined(high, low));
  std::tm parts{};
  if (seconds == 0 || gmtime_r(&seconds, &parts) == nullptr) {
    return "n/a";
  }
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

std::string last_mounted(const Superblock& superblock) {
  const auto& path = superblock.last_mounted;
  const std::string text(path.begin(), std::find(path.begin(), path.end(), '\0'));
  return text.empty() ? "<not available>" : text;
}

std::string name_of_os(std::uint32_t code) {
  constexpr std::array<const char*, 5> names{"Linux", "Hurd", "Masix", "FreeBSD", "Lites"};
  return code < names.size() ? names[code] : fmt::format("{}", code);
}

}  // namespace

FileSystemInfo info_of(const Superblock& superblock, const Geometry& geometry) {
  FileSystemIdentity identity = identity_of(superblock);
  FileSystemInfo info;
  info.type = std::move(identity.type);
  info.label = std::move(identity.label);
  info.uuid = std::move(identity.uuid);
  info.state = state_of(superblock);
  auto& facts = info.facts;
  facts.emplace_back("last mounted on", last_mounted(superblock));
  facts.emplace_back("features", feature_names(superblock));
  facts.emplace_back("os type", name_of_os(superblock.creator_os));
  facts.emplace_back("inode count", fmt::format("{}", geometry.inode_count));
  facts.emplace_back("block count", fmt::format("{}", geometry.block_count));
  facts.emplace_back("block size", fmt::format("{}", geometry.block_size));
  if (geometry.cluster_blocks > 1) {
    facts.emplace_back("cluster size", fmt::format("{}", std::uint64_t{geometry.block_size} *
                                                             geometry.cluster_blocks));
  }
  facts.emplace_back("inode size", fmt::format("{}", geometry.inode_size));
  facts.emplace_back("created", time_text(superblock.creation_time, superblock.creation_time_high));
  facts.emplace_back("last mount time",
                     time_text(superblock.mount_time, superblock.mount_time_high));
  facts.emplace_back("last write time",
                     time_text(superblock.write_time, superblock.write_time_high));
  facts.emplace_back("mount count", fmt::format("{}", superblock.mount_count.value()));
  facts.emplace_back("last checked", time_text(superblock.check_time, superblock.check_time_high));
  if (superblock.error_count != 0) {
    facts.emplace_back("error count", fmt::format("{}", superblock.error_count.value()));
  }
  return info;
}

}  // namespace vimg::ext4
