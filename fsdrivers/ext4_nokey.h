// Names in encrypted directories, as the kernel shows them when it has no key.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "fsdrivers/ext4_names.h"
#include "fsdrivers/sha256.h"

namespace vimg::ext4 {

// The name that stands for `stored`, which is ciphertext.
std::string nokey_name(NameHash hash, std::string_view stored);

// Such a name taken apart.
struct NokeyName {
  NameHash hash;
  std::string bytes;           // all of the ciphertext, or as much as the name has room for
  std::optional<Sha256> rest;  // the digest of what there was no room for

  bool matches(std::string_view stored) const;
};
// Empty when the kernel would make no such name.
std::optional<NokeyName> parse_nokey_name(std::string_view name);

// What readlink(2) gives for an encrypted link whose stored target is `stored`.
// Throws Error(EUCLEAN) when it is not one.
std::string nokey_symlink(std::string_view stored);

}  // namespace vimg::ext4
