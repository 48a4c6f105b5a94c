#include "fuse/init_flags.h"

#include <linux/fuse.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vimg {

// libfuse writes a header and then the answer, whose first fields are the same in all versions of
// the protocol since 7.5.  Kernels older than 5.11 ignore the flag, and drop the bits themselves.
void add_init_flags(const iovec* parts, int count) noexcept {
  constexpr std::size_t place = offsetof(fuse_init_out, flags);
  std::uint32_t flags = 0;
  if (count < 2 || parts[1].iov_len < place + sizeof(flags)) {
    return;
  }
  auto* field = static_cast<std::byte*>(parts[1].iov_base) + place;
  std::memcpy(&flags, field, sizeof(flags));
  flags |= FUSE_HANDLE_KILLPRIV_V2;
  std::memcpy(field, &flags, sizeof(flags));
}

}  // namespace vimg
