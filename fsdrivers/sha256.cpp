#include "fsdrivers/sha256.h"

#include <gcrypt.h>

namespace vimg {
namespace {

// libgcrypt wants to be told its version once, before anything else.
void start_library() {
  static const bool started = [] {
    gcry_check_version(nullptr);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    return true;
  }();
  static_cast<void>(started);
}

}  // namespace

Sha256 sha256(ConstBytes data) {
  start_library();
  Sha256 digest{};
  gcry_md_hash_buffer(GCRY_MD_SHA256, digest.data(), data.data(), data.size());
  return digest;
}

}  // namespace vimg
