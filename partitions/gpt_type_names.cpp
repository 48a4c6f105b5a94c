#include <algorithm>
#include <array>

#include "partitions/type_names.h"

namespace vimg {
namespace {

struct TypeName {
  std::string_view guid;
  std::string_view name;
};

// Sources: UEFI 2.10 table 5-7, the Discoverable Partitions Specification, and the vendors.
// Sorted by GUID.
constexpr std::array type_names{
    TypeName{"024dee41-33e7-11d3-9d69-0008c781f39f", "MBR partition scheme"},
    TypeName{"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap"},
    TypeName{"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux filesystem"},
    TypeName{"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
    TypeName{"2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "Linux root verity (x86-64)"},
    TypeName{"2e0a753d-9e48-43b0-8337-b15192cb1b5e", "ChromeOS reserved"},
    TypeName{"3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "Linux server data"},
    TypeName{"3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root"},
    TypeName{"42465331-3ba3-10f1-802a-4861696b7521", "Haiku BFS"},
    TypeName{"426f6f74-0000-11aa-aa11-00306543ecac", "Apple boot"},
    TypeName{"44479540-f297-41b2-9af7-d131d5f0458a", "Linux root (x86)"},
    TypeName{"45b0969e-9b03-4f30-b4c6-b4b80ceff106", "Ceph journal"},
    TypeName{"48465300-0000-11aa-aa11-00306543ecac", "Apple HFS+"},
    TypeName{"49f48d32-b10e-11dc-b99b-0019d1879648", "NetBSD swap"},
    TypeName{"49f48d5a-b10e-11dc-b99b-0019d1879648", "NetBSD FFS"},
    TypeName{"4d21b016-b534-45c2-a9fb-5c16e091fd2d", "Linux variable data"},
    TypeName{"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)"},
    TypeName{"4fbd7e29-9d25-41b8-afd0-062c0ceff05d", "Ceph OSD"},
    TypeName{"516e7cb4-6ecf-11d6-8ff8-00022d09712b", "FreeBSD data"},
    TypeName{"516e7cb5-6ecf-11d6-8ff8-00022d09712b", "FreeBSD swap"},
    TypeName{"516e7cb6-6ecf-11d6-8ff8-00022d09712b", "FreeBSD UFS"},
    TypeName{"516e7cba-6ecf-11d6-8ff8-00022d09712b", "FreeBSD ZFS"},
    TypeName{"53746f72-6167-11aa-aa11-00306543ecac", "Apple Core Storage"},
    TypeName{"5808c8aa-7e8f-42e0-85d2-e1e90434cfb3", "Microsoft LDM metadata"},
    TypeName{"5eead9a9-fe09-4a1e-a1d7-520d00531306", "Linux root (S390X)"},
    TypeName{"69dad710-2ce4-4e3c-b16c-21a1d49abed3", "Linux root (ARM)"},
    TypeName{"6a85cf4d-1dd2-11b2-99a6-080020736631", "Solaris root"},
    TypeName{"6a898cc3-1dd2-11b2-99a6-080020736631", "Solaris /usr or ZFS"},
    TypeName{"6a945a3b-1dd2-11b2-99a6-080020736631", "Solaris reserved"},
    TypeName{"72ec70a6-cf74-40e6-bd49-4bda08e8f224", "Linux root (RISC-V-64)"},
    TypeName{"7412f7d5-a156-4b13-81dc-867174929325", "ONIE boot"},
    TypeName{"773f91ef-66d4-49b5-bd83-d683bf40ad16", "Linux user's home"},
    TypeName{"7c3457ef-0000-11aa-aa11-00306543ecac", "Apple APFS"},
    TypeName{"7ec6f557-3bc5-4aca-b293-16ef5df639d1", "Linux temporary data"},
    TypeName{"824cc7a0-36a8-11e3-890a-952519ad3f61", "OpenBSD data"},
    TypeName{"83bd6b9d-7f41-11dc-be0b-001560b84f0f", "FreeBSD boot"},
    TypeName{"8484680c-9521-48c6-9c11-b0720656f69e", "Linux /usr (x86-64)"},
    TypeName{"8da63339-0007-60c0-c436-083ac8230908", "Linux reserved"},
    TypeName{"9198effc-31c0-11db-8f78-000c2911d1b8", "VMware reserved"},
    TypeName{"933ac7e1-2eb4-4f13-b844-0e14e2aef915", "Linux home"},
    TypeName{"9d275380-40ad-11db-bf97-000c2911d1b8", "VMware diagnostic"},
    TypeName{"9e1a2d38-c612-4316-aa26-8b49521e5a8b", "PowerPC PReP boot"},
    TypeName{"a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID"},
    TypeName{"aa31e02a-400f-11db-9590-000c2911d1b8", "VMware VMFS"},
    TypeName{"af9b60a0-1431-4f62-bc68-3311714a69ad", "Microsoft LDM data"},
    TypeName{"b0e01050-ee5f-4390-949a-9101b17104e9", "Linux /usr (ARM-64)"},
    TypeName{"b921b045-1df0-41c3-af44-4c6f280d3fae", "Linux root (ARM-64)"},
    TypeName{"bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot"},
    TypeName{"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"},
    TypeName{"c31c45e6-3f39-412e-80fb-4809c4980599", "Linux root (PPC64LE)"},
    TypeName{"d4e6e2cd-4469-46f3-b5cb-1bff57afc149", "ONIE config"},
    TypeName{"de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery environment"},
    TypeName{"df3300ce-d69f-4c92-978c-9bfb0f38d820", "Linux root verity (ARM-64)"},
    TypeName{"e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved"},
    TypeName{"e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM"},
    TypeName{"e75caf8f-f680-4cee-afa3-b001e56efc2d", "Microsoft Storage Spaces"},
    TypeName{"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data"},
    TypeName{"fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel"},
};
static_assert(std::ranges::is_sorted(type_names, {}, &TypeName::guid));

}  // namespace

std::string_view gpt_type_name(std::string_view guid) noexcept {
  const auto found = std::ranges::lower_bound(type_names, guid, {}, &TypeName::guid);
  return found != type_names.end() && found->guid == guid ? found->name : std::string_view();
}

}  // namespace vimg
