// FormatDriver: what an image format gives, and the list of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"
#include "formats/check.h"
#include "formats/create.h"
#include "sources/host_file.h"

namespace vimg {

// What a driver is told when it opens an image, and the only way to files that the image names.
class OpenContext {
 public:
  virtual ~OpenContext() = default;

  virtual Access access() const = 0;
  // Name or ID of the internal snapshot to show; empty for the current state.  Never for a backing.
  virtual const std::string& snapshot() const = 0;
  // How many bytes the image may keep in its caches.
  virtual std::uint64_t cache_bytes() const = 0;

  // The name of the file that is opened, without its directory; empty when it has none of its own.
  virtual const std::string& file_name() const = 0;
  // The names of the files in its directory that begin with `prefix`, sorted, at most 10,000; for
  // formats whose parts are found by name or by content.  Each is opened through the gate.
  virtual std::vector<std::string> file_names(std::string_view prefix) const = 0;

  // The bytes of the file `name`, with this context's access: data files, extents.
  // Throws Error(EACCES) when the gate refuses it.
  virtual DiskPtr open_file(std::string_view name) = 0;
  // The same for a look at what `name` is: read-only, without locks, and not as a part of the
  // image.
  virtual DiskPtr peek_file(std::string_view name) = 0;
  // The image `name`, decoded, read-only: backing files, parents.  `format` is a driver's name;
  // empty means raw, as nothing is ever probed behind a reference.
  // Throws Error(ELOOP) beyond 200 images in a chain.
  virtual DiskPtr open_image(std::string_view name, std::string_view format) = 0;
  // Something that the user should know although the image opens: "qcow2: image is marked dirty…".
  virtual void warn(const std::string& message) = 0;
};

// One line about an internal snapshot.
struct SnapshotInfo {
  std::string id;
  std::string name;
  std::uint64_t vm_state_size;  // bytes
  std::int64_t date_sec;        // seconds since 1970
  std::uint32_t date_nsec;
  std::uint64_t vm_clock_nsec;
  std::uint64_t disk_size;  // bytes
};

// What an image says of itself without its content being read, for `vimg info`.
struct ImageInfo {
  std::string format;
  std::uint64_t virtual_size = 0;           // bytes
  std::optional<std::string> backing_file;  // as the image names it
  std::optional<std::string> backing_format;
  std::optional<std::string> data_file;
  std::vector<SnapshotInfo> snapshots;
  // Further facts in the order they should be shown: {"cluster size", "65536"}, {"compat", "1.1"}…
  std::vector<std::pair<std::string, std::string>> facts;
};

struct FormatDriver {
  const char* name;     // as qemu-img spells it
  const char* summary;  // one line, for --help and man pages
  // True when `file` holds this format's signature.  Reads little, throws only what read() throws.
  bool (*probe)(const Disk& file);
  // Decodes `file`.  The result keeps `file` alive.  Throws Error as disk/error.h says.
  DiskPtr (*open)(DiskPtr file, OpenContext& context);
  ImageInfo (*info)(const Disk& file);

  // Those below are nullptr where the format cannot.

  // Makes `file`, which is empty and can be resized, an image that reads as zeros (or as its
  // backing image), and flushes it.  Throws Error(EINVAL) for a size or an option that cannot be.
  void (*create)(Disk& file, NewImage image) = nullptr;
  // Begins an image that is written from front to end; nullptr when what `image` asks for (its
  // options, compress) is made with create() and written through the Disk.
  std::unique_ptr<ImageStream> (*stream)(DiskPtr file, NewImage image) = nullptr;
  // Looks through the whole structure.  With Repair::leaks `file` is writable, and what can be
  // mended without losing anything is.  Throws Error when the image cannot be opened at all.
  CheckReport (*check)(DiskPtr file, OpenContext& context, Repair repair) = nullptr;
};

// Every driver but raw, in the order of detection; raw is what is left.
std::span<const FormatDriver* const> format_drivers() noexcept;
extern const FormatDriver raw_driver;

// The driver called `name`, of which "vhd" is another for "vpc"; nullptr when there is none.
const FormatDriver* find_format(std::string_view name) noexcept;

// The names of the formats whose signature `file` holds: those of `among`, and one that is known
// but has no driver.
std::vector<std::string> claimed_formats(
    const Disk& file, std::span<const FormatDriver* const> among = format_drivers());

// The one driver whose signature `file` holds, or raw_driver.
// Throws Error(EACCES) when two formats claim it: "file is both qcow2 and vmdk; say which with
// --format", and Error(EOPNOTSUPP) when the one that does has no driver.
const FormatDriver& detect_format(const Disk& file);

}  // namespace vimg
