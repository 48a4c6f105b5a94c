// in_quotes, printable: text from an image made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace vimg {

// `text` on one line and in valid UTF-8: quotes and backslashes become \" and \\; controls, what
// turns the direction of writing, and bytes that are no UTF-8 become \xNN each.
std::string printable(std::string_view text);

// The same in double quotes, and what is longer than 256 bytes ends in "...".
std::string in_quotes(std::string_view text);

}  // namespace vimg
