#include "fuse/guard.h"

namespace vimg {
namespace {

int errno_of(const std::exception& error) noexcept {
  if (const auto* known = dynamic_cast<const Error*>(&error)) {
    return known->code() > 0 ? known->code() : EIO;
  }
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ? ENOMEM : EIO;
}

// The rest are answers, not problems: ENOENT, EEXIST, ENOTEMPTY, ENODATA …
bool tells_of_trouble(int code) noexcept {
  switch (code) {
    case EIO:
    case EUCLEAN:
    case ENOMEM:
    case ENOSPC:
    case EOVERFLOW:
      return true;
    default:
      return false;
  }
}

}  // namespace

void reply_error(fuse_req_t request, const std::exception& error) noexcept {
  const int code = errno_of(error);
  if (tells_of_trouble(code)) {
    mount_state(request).problems.add(error.what());
  }
  fuse_reply_err(request, code);
}

}  // namespace vimg
