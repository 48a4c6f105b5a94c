#include "cli/messages.h"

#include <ostream>

#include "disk/escape.h"

namespace vimg {

void print_error(const Streams& streams, std::string_view text) {
  streams.err << "vimg: " << printable(text) << '\n';
}

void print_warning(const Streams& streams, std::string_view text) {
  streams.err << "vimg: warning: " << printable(text) << '\n';
}

}  // namespace vimg
