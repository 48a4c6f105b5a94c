// vimg: the command, apart from main().
#pragma once

#include <string>
#include <vector>

#include "cli/verb.h"

namespace vimg {

// Runs `vimg ARGUMENTS…`.  Messages go to streams.err as "vimg: …", on one line each and escaped.
// Never throws.
ExitCode run_vimg(const std::vector<std::string>& arguments, const Streams& streams);

}  // namespace vimg
