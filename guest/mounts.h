// How /etc/fstab puts a guest's tree together from its volumes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "guest/guest.h"
#include "guest/path.h"

namespace vimg {

struct FollowedFstab {
  std::vector<GuestMount> mounts;  // "/" first
  std::vector<std::string> problems;
};

// Reads /etc/fstab in `tree`, which holds the file system on `root` only, and mounts there what it
// says, read-only.  What cannot be followed is a problem; what is not of the disks (swap, tmpfs,
// noauto), and what is missing but may be (nofail), is passed over.  A disk that the guest names
// by its place ("/dev/sda") is counted from the image numbered `first_image`.  Never throws Error.
FollowedFstab follow_fstab(Guest& guest, const Volume& root, std::size_t first_image,
                           GuestTree& tree);

// The tree of `system`, its file systems opened with `access`.  Throws Error.
GuestTree compose(Guest& guest, const OperatingSystem& system, MountAccess access);

}  // namespace vimg
