#include "disk/in_quotes.h"

#include <fmt/format.h>

namespace vimg {
namespace {

constexpr std::size_t max_length = 256;

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text.substr(0, max_length)) {
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (c >= ' ' && c <= '~') {
      result += c;
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return result + (text.size() > max_length ? "\"..." : "\"");
}

}  // namespace vimg
