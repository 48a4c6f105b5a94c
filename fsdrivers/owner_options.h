// The mount options of file systems that hold no owners: uid=, gid=, umask=, fmask=, dmask=.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace vimg {

struct OwnerOptions {
  OwnerOptions();  // the process's own user and group, and 022, as mount(8) has it

  uid_t uid;
  gid_t gid;
  mode_t file_mask = 022;
  mode_t directory_mask = 022;
};

// True when `option` is one of these, and is now in `options`.
// Throws Error(EINVAL, "LAYER: bad option …") for a value that is none.
bool take_owner_option(OwnerOptions& options, std::string_view option, std::string_view layer);

// True for what mount(8) knows for every file system and what changes nothing here: "noatime".
bool is_generic_option(std::string_view option) noexcept;

}  // namespace vimg
