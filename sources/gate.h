// The gate: the only way from a name inside an image to a file of the host.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "disk/file_descriptor.h"
#include "sources/host_file.h"

namespace vimg {

struct GatedFile {
  FileDescriptor fd;  // a regular file, opened for the access asked for
  HostLocation location;
};

// The first half of open_reference: lets the name through or throws as that does, and takes no
// locks.  adopt_file is the second half.
GatedFile pass_gate(const HostLocation& from, std::string_view name,
                    const std::vector<std::string>& allowed, Access access);

// `name` as a path, with `file:` removed.  Throws Error(EACCES) unless it is a plain file name:
// protocols, json:, UNC and `//` names are not, nor is what is empty or has a NUL in it.
std::string checked_reference_name(std::string_view name);

}  // namespace vimg
