#include "fsdrivers/ext4_options.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

// What mount(8) and linux Documentation/admin-guide/ext4.rst name, and that is about writing,
// checking or the mount itself.
constexpr std::array ignored{
    "ro",
    "rw",
    "defaults",
    "auto",
    "noauto",
    "user",
    "nouser",
    "users",
    "owner",
    "group",
    "nofail",
    "_netdev",
    "exec",
    "noexec",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "sync",
    "async",
    "dirsync",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
    "lazytime",
    "nolazytime",
    "iversion",
    "noiversion",
    "silent",
    "loud",
    "mand",
    "nomand",
    "acl",
    "noacl",
    "user_xattr",
    "nouser_xattr",
    "grpid",
    "nogrpid",
    "bsdgroups",
    "sysvgroups",
    "debug",
    "oldalloc",
    "orlov",
    "discard",
    "nodiscard",
    "barrier",
    "nobarrier",
    "delalloc",
    "nodelalloc",
    "journal_checksum",
    "quota",
    "noquota",
    "usrquota",
    "grpquota",
    "prjquota",
    "dioread_lock",
    "i_version",
    "nombcache",
    "dioread_nolock",
    "nojournal_checksum",
    "nocheck",
    "auto_da_alloc",
    "init_itable",
    "noinit_itable",
    "noauto_da_alloc",
    "abort",
    "nouid32",
    "nobh",
    "bh",
    "journal_async_commit",
    "mblk_io_submit",
    "block_validity",
    "nomblk_io_submit",
    "noblock_validity",
    "nodax",
    "dax",
    "no_mbcache",
    "nodioread_nolock",
    "prefetch_block_bitmaps",
    "no_prefetch_block_bitmaps",
};
constexpr std::array ignored_with_value{
    "errors",        "data",           "data_err",        "commit",
    "resuid",        "resgid",         "barrier",         "stripe",
    "usrjquota",     "grpjquota",      "jqfmt",           "inode_readahead_blks",
    "check",         "max_batch_time", "min_batch_time",  "journal_ioprio",
    "auto_da_alloc", "init_itable",    "max_dir_size_kb", "mb_optimize_scan",
    "comment",       "journal_dev",    "journal_path",    "dax",
};

template <std::size_t size>
bool is_among(const std::array<const char*, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void throw_option(std::string_view message, std::string_view option) {
  throw_error(EINVAL, layer, fmt::format("{} '{}'", message, option));
}

// sb= counts in KiB, whatever the block size.
std::uint64_t superblock_offset_of(std::string_view option, std::string_view value) {
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(value.data(), value.data() + value.size(), number);
  const auto offset = checked_mul(number, 1024);
  if (code != std::errc() || end != value.data() + value.size() || !offset || number == 0) {
    throw_option("bad option", option);
  }
  return *offset;
}

void apply_option(Options& parsed, std::string_view option) {
  const std::size_t equals = option.find('=');
  const std::string_view name = option.substr(0, equals);
  if (name.starts_with("x-") || name.starts_with("X-")) {
    return;
  }
  if (equals != std::string_view::npos) {
    if (name == "sb") {
      parsed.superblock_offset = superblock_offset_of(option, option.substr(equals + 1));
    } else if (!is_among(ignored_with_value, name)) {
      throw_option("unknown option", option);
    }
  } else if (name == "noload" || name == "norecovery") {
    parsed.recovery = Recovery::skip;
  } else if (name == "minixdf") {
    parsed.counted_blocks = CountedBlocks::all;
  } else if (name == "bsddf") {
    parsed.counted_blocks = CountedBlocks::usable;
  } else if (!name.empty() && !is_among(ignored, name)) {
    throw_option("unknown option", option);
  }
}

}  // namespace

Options parse_options(std::span<const std::string> options) {
  Options parsed;
  for (const std::string& option : options) {
    apply_option(parsed, option);
  }
  return parsed;
}

}  // namespace vimg::ext4
