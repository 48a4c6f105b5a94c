// Guid: a GUID as Microsoft and GPT store it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "disk/endian.h"

namespace vimg {

// Spec: UEFI 2.10, appendix A.  The first three fields are little-endian, the rest is bytes.
struct Guid {
  le32 time_low;
  le16 time_mid;
  le16 time_high;
  std::array<std::uint8_t, 8> rest;

  friend bool operator==(const Guid&, const Guid&) = default;
};
static_assert(sizeof(Guid) == 16 && OnDisk<Guid>);

bool is_zero(const Guid& guid) noexcept;

// A new one, by chance (version 4).
Guid random_guid();

// "0fc63daf-8483-4772-8e79-3d69d8477de4"
std::string guid_text(const Guid& guid);

}  // namespace vimg
