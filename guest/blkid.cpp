#include "guest/blkid.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include <blkid/blkid.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

// Where libblkid 2.38 looks, measured: its head, single superblocks beyond, and its tail.
constexpr std::uint64_t head_bytes = 1U << 20;
constexpr std::uint64_t tail_bytes = 1600U << 10;
constexpr std::array<std::uint64_t, 3> superblock_offsets{1U << 20, 2U << 20, 4U << 20};
constexpr std::uint64_t superblock_bytes = 1024;

// A file in memory, as sparse as what is copied there.
class MemoryFile {
 public:
  explicit MemoryFile(std::uint64_t size) : fd_(memfd_create("vimg-blkid", MFD_CLOEXEC)) {
    if (fd_ < 0) {
      throw_errno(errno, "blkid", "memfd_create");
    }
    if (ftruncate(fd_, off_t(size)) != 0) {
      const int code = errno;
      close(fd_);
      throw_errno(code, "blkid", "ftruncate");
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(fd_); }

  int fd() const noexcept { return fd_; }

  void write(std::uint64_t offset, ConstBytes data) {
    if (pwrite(fd_, data.data(), data.size(), off_t(offset)) != ssize_t(data.size())) {
      throw_errno(errno, "blkid", "pwrite");
    }
  }

 private:
  int fd_;
};

// Copies the part of [offset, offset + length) that lies on the disk; zeros are left out.
void copy(const Disk& disk, std::uint64_t offset, std::uint64_t length, MemoryFile& file) {
  std::vector<std::byte> buffer(64U << 10);
  const std::uint64_t end = std::min(disk.size(), offset + length);
  while (offset < end) {
    const Extent extent = disk.extent(offset, std::min<std::uint64_t>(end - offset, buffer.size()));
    if (extent.kind == Extent::Kind::data) {
      const Bytes part(buffer.data(), std::size_t(extent.length));
      disk.read(offset, part);
      if (!all_zero(part)) {
        file.write(offset, part);
      }
    }
    offset += extent.length;
  }
}

void copy_window(const Disk& disk, MemoryFile& file) {
  copy(disk, 0, head_bytes, file);
  for (const std::uint64_t offset : superblock_offsets) {
    copy(disk, offset, superblock_bytes, file);
  }
  // From a page's border, so that what was copied before is copied whole again.
  const std::uint64_t tail = disk.size() - std::min(disk.size(), tail_bytes);
  copy(disk, round_down(tail, 4096), tail_bytes + 4096, file);
}

struct FreeProbe {
  void operator()(blkid_probe probe) const noexcept { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<blkid_struct_probe, FreeProbe>;

Probe make_probe(const MemoryFile& file, const Disk& disk) {
  Probe probe(blkid_new_probe());
  if (!probe || blkid_probe_set_device(probe.get(), file.fd(), 0, blkid_loff_t(disk.size())) != 0) {
    throw_error(ENOMEM, "blkid", "cannot set up a probe");
  }
  blkid_probe_set_sectorsize(probe.get(), disk.sector_size());
  blkid_probe_enable_superblocks(probe.get(), 1);
  blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
                                                     BLKID_SUBLKS_UUID | BLKID_SUBLKS_VERSION);
  return probe;
}

std::string value_of(const Probe& probe, const char* name) {
  const char* data = nullptr;
  std::size_t length = 0;
  if (blkid_probe_lookup_value(probe.get(), name, &data, &length) != 0 || length == 0) {
    return {};
  }
  // The length counts a terminating NUL.
  const std::string_view value(data, length);
  return std::string(value.substr(0, value.find('\0')));
}

}  // namespace

std::optional<ForeignIdentity> identify_foreign(const Disk& disk) {
  if (disk.size() == 0) {
    return std::nullopt;
  }
  MemoryFile file(disk.size());
  copy_window(disk, file);
  const Probe probe = make_probe(file, disk);
  if (blkid_do_safeprobe(probe.get()) != 0) {
    return std::nullopt;
  }
  ForeignIdentity identity{value_of(probe, "TYPE"), value_of(probe, "LABEL"),
                           value_of(probe, "UUID"), value_of(probe, "VERSION")};
  return identity.type.empty() ? std::nullopt : std::optional(std::move(identity));
}

}  // namespace vimg
