// Guest: images put together into named volumes and file systems.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/image.h"
#include "fsdrivers/driver.h"
#include "lvm/lvm.h"
#include "partitions/scheme.h"

namespace vimg {

enum class WriteMode {
  none,  // read-only; nothing is written anywhere
  in_place,
  overlay,  // to the qcow2 named by overlay_path
  scratch,  // thrown away
};

struct GuestOptions {
  std::string format;  // for every image; empty: detect
  std::string snapshot;
  WriteMode write = WriteMode::none;
  std::string overlay_path;  // with WriteMode::overlay, which takes one image
  std::vector<std::string> allowed_directories;
  Locking locking = Locking::on;
  std::uint64_t cache_bytes = 24U << 20;
};

enum class VolumeKind { disk, partition, logical_volume };

// A Disk with a name.
struct Volume {
  std::string name;       // the short unique one: "p2", "vg0/root", "disk0", "disk1p2"
  std::string full_name;  // "disk0p2", "vg0/root"
  VolumeKind kind;
  DiskPtr disk;        // nullptr when it is known but cannot be read: see problem
  std::uint64_t size;  // bytes
  std::string problem;
  std::size_t image;                   // index into images(); of the first one for an LV
  std::optional<std::size_t> parent;   // index into volumes(): the disk that a partition lies in
  std::optional<std::size_t> group;    // index into groups(), when kind is logical_volume
  std::optional<Partition> partition;  // when kind is partition
  std::string uuid;                    // LV UUID, PTUUID of a disk with a table; empty otherwise

  // What it holds.  At most one of these, but that a hybrid image is both an iso9660 and a table.
  std::optional<ProbedFileSystem> filesystem;
  std::optional<std::string> table;  // a partition scheme's name
  std::optional<PhysicalVolume> pv;
};

// Opened once and then unchanged; all members may be called from any thread.
class Guest {
 public:
  // Throws Error when an image cannot be opened; what is wrong inside one becomes a problem.
  static std::shared_ptr<Guest> open(const std::vector<std::string>& paths,
                                     const GuestOptions& options);
  ~Guest();

  const std::vector<Image>& images() const noexcept;
  // Disks first, then partitions in the order of disks, then logical volumes.
  const std::vector<Volume>& volumes() const noexcept;
  const std::vector<VolumeGroup>& groups() const noexcept;
  // In words: "p3: gpt: …".  Grows when file systems are opened.
  std::vector<std::string> problems() const;

  // By any name that DESIGN.md section 4 lists: p2, disk0p2, /dev/sda2, vg0/root, /dev/vg0/root,
  // /dev/mapper/vg0-root, UUID=, LABEL=, PARTUUID=, PARTLABEL=.  nullptr when none or several fit.
  const Volume* find(std::string_view name) const;

  // Opens the file system on `volume`, with `options` and, when `type` is not empty, that driver.
  // Without options it is opened once and shared.  Throws Error.
  std::shared_ptr<FileSystem> open_filesystem(const Volume& volume,
                                              const FileSystemOptions& options = {},
                                              std::string_view type = {});
  // False: images were opened without writing.
  bool writable() const noexcept;
  // finish() on every opened file system, then flush of every image.  Throws the first Error, after
  // all were tried.
  void finish();

 private:
  struct Impl;
  explicit Guest(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One line of the guest's own tree.
struct GuestMount {
  std::string mountpoint;            // absolute, in the guest: "/", "/var"
  std::string source;                // as /etc/fstab has it
  const Volume* volume = nullptr;    // nullptr for a bind mount
  std::string bind_path;             // of a bind mount: the path that is shown again
  std::vector<std::string> options;  // the file system's own
  std::string type;
};

// What OS is inside and how its tree is put together.
struct OperatingSystem {
  const Volume* root;
  std::string id;       // ID of /etc/os-release, "debian"
  std::string name;     // PRETTY_NAME
  std::string version;  // VERSION_ID
  std::string hostname;
  std::vector<GuestMount> mounts;     // parents before children, "/" first
  std::vector<std::string> problems;  // fstab lines that could not be followed, and why
};

// Every OS found, one for each root file system.  Opens file systems read-only; never throws for
// what a guest holds.
std::vector<OperatingSystem> inspect(Guest& guest);

}  // namespace vimg
