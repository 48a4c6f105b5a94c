// Finding volumes by the names that people and /etc/fstab use.
#pragma once

#include <string_view>
#include <vector>

#include "guest/guest.h"

namespace vimg {

// Every one of a guest's volumes that `name` fits, in any spelling that Guest::find() takes, in
// their order.  A name of our own ("p2", "vg0@2/root") fits one at most; a label may fit several.
std::vector<const Volume*> find_volumes(const std::vector<Volume>& volumes,
                                        const std::vector<VolumeGroup>& groups,
                                        std::string_view name);

// The one of `fits` that `name` means: the only one, or the one whose own name it is
// ("/dev/vg0/root" is vg0/root, and not vg0@2/root that a guest calls so, too); nullptr when that
// leaves several.
const Volume* only_volume(const std::vector<const Volume*>& fits, std::string_view name);

}  // namespace vimg
