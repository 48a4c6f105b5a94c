// Manifest: what a whole tree holds, to be compared after it was unmounted and mounted elsewhere.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace vimg::stress {

// A line of text for each path below the root ("." for the root itself), whose odd characters are
// escaped: type, mode, owner, links,
// size, times, device, the link's target, xattrs, the content's hash and the other names.
using Manifest = std::map<std::string, std::string>;

// lost+found at the top is left out.  Throws std::runtime_error when something cannot be read.
Manifest scan_tree(const std::string& root);

void save_manifest(const Manifest& manifest, const std::string& file);
Manifest load_manifest(const std::string& file);

// In words, one difference each.
std::vector<std::string> differences(const Manifest& expected, const Manifest& found);

}  // namespace vimg::stress
