#include "formats/foreign.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "disk/bytes.h"

namespace vimg {
namespace {

struct Signature {
  const char* format;
  std::size_t offset;  // bytes
  std::string_view text;
};

// From QEMU's block drivers, as each probes.
constexpr std::array signatures{
    Signature{"encrypted dmg", 0, "encrcdsa"},
    Signature{"qcow", 0, std::string_view("QFI\xfb\0\0\0\1", 8)},
};

}  // namespace

const char* foreign_format(const Disk& file) {
  std::array<std::byte, 512> head{};
  file.read(0, Bytes(head).first(std::min<std::uint64_t>(head.size(), file.size())));
  const std::string_view text = text_of(head);
  const auto found = std::ranges::find_if(signatures, [&](const Signature& signature) {
    return text.substr(signature.offset).starts_with(signature.text);
  });
  return found == signatures.end() ? nullptr : found->format;
}

}  // namespace vimg
