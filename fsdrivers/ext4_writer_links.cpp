#include "fsdrivers/ext4_writer_links.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"
#include "fsdrivers/ext4_write_directory.h"

namespace vimg::ext4 {
namespace {

constexpr std::uint16_t most_links = 65000;  // EXT4_LINK_MAX
constexpr std::uint16_t many = 1;            // subdirectories that are not counted

bool may_overflow(const Layout& layout, const InodeRecord& inode) noexcept {
  return inode.is_directory() && layout.has_ro_compat(ro_compat_dir_nlink) &&
         is_indexed(layout, inode);
}

}  // namespace

void check_link_count(const Layout& layout, const InodeRecord& inode) {
  if (inode.raw.link_count >= most_links && !may_overflow(layout, inode)) {
    throw_error(EMLINK, layer,
                fmt::format("inode {} has {} links", inode.number, inode.raw.link_count.value()));
  }
}

void add_link(const Layout& layout, InodeRecord& inode) noexcept {
  const std::uint32_t count = inode.raw.link_count;
  const bool uncounted = may_overflow(layout, inode) && (count == many || count + 1 > most_links);
  inode.raw.link_count = uncounted ? many : std::uint16_t(count + 1);
}

void remove_link(InodeRecord& inode) noexcept {
  const std::uint32_t count = inode.raw.link_count;
  if (!inode.is_directory() || count > 2) {
    inode.raw.link_count = std::uint16_t(std::max(count, 1U) - 1);
  }
}

}  // namespace vimg::ext4
