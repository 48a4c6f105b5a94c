// Messages on stderr: one line each, escaped, in the one form that all verbs use.
#pragma once

#include <string_view>

#include "cli/verb.h"

namespace vimg {

// "vimg: TEXT"
void print_error(const Streams& streams, std::string_view text);

// "vimg: warning: TEXT"
void print_warning(const Streams& streams, std::string_view text);

}  // namespace vimg
