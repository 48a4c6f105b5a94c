// GuestDetails: what is known of a guest only once its file systems were opened.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "guest/blkid.h"
#include "guest/guest.h"

namespace vimg {

struct VolumeDetails {
  std::optional<FileSystemInfo> info;
  std::optional<FileSystemStatistics> statistics;
  std::optional<ForeignIdentity> foreign;  // where no driver of ours knows what it holds
};

struct GuestDetails {
  std::vector<VolumeDetails> volumes;    // as Guest::volumes(); empty when nobody looked
  std::vector<OperatingSystem> systems;  // as inspect()
};

// Opens every file system, read-only, and asks libblkid about what is left.  What cannot be opened
// is among guest.problems() afterwards.  Never throws for what a guest holds.
GuestDetails examine(Guest& guest);

// Where in the guest's own trees `volume` is seen: "/", "/var".
std::vector<std::string> mountpoints_of(const GuestDetails& details, const Volume& volume);

// The name of a volume group as its volumes' names begin: unique, unlike LVM's own.
std::string group_name(const Guest& guest, std::size_t group);

}  // namespace vimg
