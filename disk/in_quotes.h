// in_quotes: text from an image made fit for a message.
#pragma once

#include <string>
#include <string_view>

namespace vimg {

// `text` in double quotes on one line: quotes, backslashes and all bytes that are not printable
// ASCII become \", \\ and \xNN, and what is longer than 256 bytes ends in "...".
std::string in_quotes(std::string_view text);

}  // namespace vimg
