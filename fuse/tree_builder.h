// build_tree: from a guest and the user's wishes to what the mount shows.
#pragma once

#include <vector>

#include "fuse/options.h"
#include "fuse/tree.h"
#include "fuse/volume_claims.h"

namespace vimg {

// For VolumeClaims: which volumes share bytes.
std::vector<std::vector<std::size_t>> volume_overlaps(const Guest& guest);

// Returns the operating systems found on the way, if they were looked for.
// `guest` and `claims` outlive `tree`.  What is asked for by name and cannot be shown throws Error;
// the rest that cannot be shown becomes a problem.
std::vector<OperatingSystem> build_tree(Guest& guest, const MountOptions& options,
                                        VolumeClaims& claims, ProblemLog& problems, Tree& tree);

}  // namespace vimg
