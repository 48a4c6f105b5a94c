#include <algorithm>
#include <array>

#include "partitions/type_names.h"

namespace vimg {
namespace {

struct TypeName {
  std::uint8_t type;
  std::string_view name;
};

// There is no standard; these are what fdisk, parted and the vendors agree on.  Sorted by type.
constexpr std::array type_names{
    TypeName{0x01, "FAT12"},
    TypeName{0x04, "FAT16 below 32 MiB"},
    TypeName{0x05, "Extended"},
    TypeName{0x06, "FAT16"},
    TypeName{0x07, "NTFS or exFAT"},
    TypeName{0x0b, "FAT32"},
    TypeName{0x0c, "FAT32 (LBA)"},
    TypeName{0x0e, "FAT16 (LBA)"},
    TypeName{0x0f, "Extended (LBA)"},
    TypeName{0x11, "Hidden FAT12"},
    TypeName{0x12, "Compaq diagnostics"},
    TypeName{0x14, "Hidden FAT16 below 32 MiB"},
    TypeName{0x16, "Hidden FAT16"},
    TypeName{0x17, "Hidden NTFS"},
    TypeName{0x1b, "Hidden FAT32"},
    TypeName{0x1c, "Hidden FAT32 (LBA)"},
    TypeName{0x1e, "Hidden FAT16 (LBA)"},
    TypeName{0x27, "Windows recovery"},
    TypeName{0x39, "Plan 9"},
    TypeName{0x41, "PowerPC PReP boot"},
    TypeName{0x42, "Windows dynamic disk"},
    TypeName{0x4d, "QNX4"},
    TypeName{0x63, "GNU Hurd"},
    TypeName{0x80, "Old Minix"},
    TypeName{0x81, "Minix"},
    TypeName{0x82, "Linux swap or Solaris"},
    TypeName{0x83, "Linux"},
    TypeName{0x84, "Hibernation"},
    TypeName{0x85, "Linux extended"},
    TypeName{0x8e, "Linux LVM"},
    TypeName{0xa5, "FreeBSD"},
    TypeName{0xa6, "OpenBSD"},
    TypeName{0xa8, "Darwin UFS"},
    TypeName{0xa9, "NetBSD"},
    TypeName{0xab, "Darwin boot"},
    TypeName{0xaf, "HFS+"},
    TypeName{0xbe, "Solaris boot"},
    TypeName{0xbf, "Solaris"},
    TypeName{0xda, "Data without a file system"},
    TypeName{0xde, "Dell utility"},
    TypeName{0xea, "Linux extended boot"},
    TypeName{0xeb, "BeOS or Haiku"},
    TypeName{0xee, "GPT protective"},
    TypeName{0xef, "EFI system"},
    TypeName{0xfb, "VMware VMFS"},
    TypeName{0xfc, "VMware kernel core"},
    TypeName{0xfd, "Linux RAID"},
};
static_assert(std::ranges::is_sorted(type_names, {}, &TypeName::type));

}  // namespace

std::string_view mbr_type_name(std::uint8_t type) noexcept {
  const auto found = std::ranges::lower_bound(type_names, type, {}, &TypeName::type);
  return found != type_names.end() && found->type == type ? found->name : std::string_view();
}

}  // namespace vimg
