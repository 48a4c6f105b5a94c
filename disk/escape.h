// Escaping: names from an image made fit for JSON, for terminals and for messages.
#pragma once

#include <string>
#include <string_view>

namespace vimg {

// `text` as valid UTF-8: each byte that is not part of a valid sequence becomes the four characters
// \xNN (two hex digits in lower case).  All else stays, so that a name of plain text is itself.
std::string valid_utf8(std::string_view text);

// `text` as one line that cannot steer a terminal: as valid_utf8(), and control characters (C0, C1,
// DEL), line separators and what changes the direction of writing become \xNN for each byte, too.
std::string printable(std::string_view text);

// `text` as printable() in double quotes, quotes and backslashes in it as \" and \\; what is longer
// than 256 bytes is cut and followed by "...".
std::string in_quotes(std::string_view text);

}  // namespace vimg
