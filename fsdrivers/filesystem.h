// FileSystem: a tree of files on a Disk, by inode number; WritableFileSystem changes it.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// Stable as long as the file exists; below 2^48.
using InodeNumber = std::uint64_t;

struct Attributes {
  InodeNumber inode = 0;
  std::uint32_t generation = 0;  // differs when the number is used again
  mode_t mode = 0;               // type and permissions
  std::uint32_t nlink = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint32_t device_major = 0;  // of device nodes
  std::uint32_t device_minor = 0;
  std::uint64_t size = 0;    // bytes
  std::uint64_t blocks = 0;  // of 512 bytes
  std::uint32_t block_size = 4096;
  timespec atime{}, mtime{}, ctime{}, btime{};
};

struct DirectoryEntry {
  std::string_view name;  // valid during the call only; never empty, no '/' and no NUL
  InodeNumber inode;
  mode_t type;         // S_IFMT bits; 0 when the directory does not say
  std::uint64_t next;  // the position after this entry, never 0
};

struct FileSystemStatistics {
  std::uint32_t block_size = 4096;
  std::uint64_t blocks = 0, blocks_free = 0, blocks_available = 0;
  std::uint64_t inodes = 0, inodes_free = 0;
  std::uint32_t name_max = 255;
};

struct FileSystemInfo {
  std::string type;  // "ext4", as blkid says
  std::string label;
  std::string uuid;
  std::string state;  // "clean", "needs recovery", "has errors"…
  // Further facts in the order they should be shown: {"features", "…"}, {"last mounted on", "/"}…
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> warnings;  // "journal replayed in memory: 12 transactions"
};

enum class SeekTarget { data, hole };

class WritableFileSystem;

// Reading.  All members may be called from any thread.  What does not exist is an empty optional;
// errors are Error: EUCLEAN for damage, ESTALE for an inode number that is not in use, ENOTDIR and
// EINVAL for one of the wrong kind, or what the Disk throws.
class FileSystem {
 public:
  FileSystem() = default;
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;
  virtual ~FileSystem() = default;

  virtual FileSystemInfo info() const = 0;
  virtual FileSystemStatistics statistics() const = 0;
  virtual InodeNumber root() const noexcept = 0;

  virtual Attributes attributes(InodeNumber inode) const = 0;
  // As the file system compares names: a casefolded directory ignores case.
  virtual std::optional<InodeNumber> lookup(InodeNumber directory, std::string_view name) const = 0;
  // Calls `visit` for the entries after `position` (0 = from the start), "." and ".." included,
  // until it returns false.  Positions stay valid while the directory does not change; when it
  // changes, an entry that was there all the time is seen exactly once.
  virtual void list(InodeNumber directory, std::uint64_t position,
                    const std::function<bool(const DirectoryEntry&)>& visit) const = 0;
  // Up to out.size() bytes; fewer only at the end of the file.  Sparse parts are zeros.
  virtual std::size_t read(InodeNumber file, std::uint64_t offset, Bytes out) const = 0;
  // The next data or hole at or after `offset`; the end of the file is a hole.  Empty for data when
  // none follows, and for both when `offset` is at or beyond the end (ENXIO).
  virtual std::optional<std::uint64_t> seek(InodeNumber file, std::uint64_t offset,
                                            SeekTarget target) const = 0;
  virtual std::string symlink_target(InodeNumber link) const = 0;
  // Full names with their prefix: "user.x", "system.posix_acl_access" (in the kernel's own layout).
  virtual std::vector<std::string> xattr_names(InodeNumber inode) const = 0;
  virtual std::optional<std::vector<std::byte>> xattr(InodeNumber inode,
                                                      std::string_view name) const = 0;

  // The writing side, or nullptr when this was opened read-only.  Same lifetime as this.
  virtual WritableFileSystem* writer() noexcept { return nullptr; }
};

struct NewFile {
  mode_t mode;  // type and permissions; umask already applied
  uid_t uid;
  gid_t gid;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
};

// What to change; an empty member stays.  ctime is set to now by every change.
struct AttributeChange {
  std::optional<mode_t> permissions;  // the low 12 bits
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<timespec> atime, mtime, ctime;
};

// What a change of content does to mtime and ctime.  none is for a caller that has them and sets
// them by change(), as the kernel does for what it held back in its page cache.
enum class TimeUpdate { now, none };

enum class RenameMode { replace, no_replace, exchange, whiteout };
enum class XattrMode { set, create, replace };
enum class FallocateMode {
  allocate,  // and grow the file
  allocate_keep_size,
  punch_hole,
  zero_range,  // and grow the file
  zero_range_keep_size,
  collapse_range,
  insert_range,
};

// Writing.  All members may be called from any thread.  Changes are seen at once by the reading
// side and are on the Disk after flush().  Errors are Error with the errno that the kernel's own
// driver would give: EEXIST, ENOENT, ENOTEMPTY, ENOTDIR, EISDIR, ENOSPC, EFBIG, EMLINK,
// ENAMETOOLONG, ENODATA (no such xattr), EDQUOT, EPERM (immutable, append-only), EOPNOTSUPP.
// Permission checks are the caller's.
class WritableFileSystem {
 public:
  virtual ~WritableFileSystem() = default;

  virtual Attributes create(InodeNumber directory, std::string_view name, const NewFile& file) = 0;
  virtual Attributes make_directory(InodeNumber directory, std::string_view name,
                                    const NewFile& file) = 0;
  virtual Attributes make_symlink(InodeNumber directory, std::string_view name,
                                  std::string_view target, uid_t uid, gid_t gid) = 0;
  virtual Attributes link(InodeNumber inode, InodeNumber directory, std::string_view name) = 0;
  // The inode lives on without a name until release().
  virtual void unlink(InodeNumber directory, std::string_view name) = 0;
  virtual void remove_directory(InodeNumber directory, std::string_view name) = 0;
  virtual void rename(InodeNumber from_directory, std::string_view from_name,
                      InodeNumber to_directory, std::string_view to_name, RenameMode mode) = 0;

  // Writes all of `data`, growing the file as needed.
  virtual void write(InodeNumber file, std::uint64_t offset, ConstBytes data,
                     TimeUpdate times = TimeUpdate::now) = 0;
  virtual void fallocate(InodeNumber file, FallocateMode mode, std::uint64_t offset,
                         std::uint64_t length, TimeUpdate times = TimeUpdate::now) = 0;
  virtual Attributes change(InodeNumber inode, const AttributeChange& change) = 0;
  virtual void set_xattr(InodeNumber inode, std::string_view name, ConstBytes value,
                         XattrMode mode) = 0;
  virtual void remove_xattr(InodeNumber inode, std::string_view name) = 0;

  // Nobody refers to `inode` any more: what has no name left is freed.  Never throws for others.
  virtual void release(InodeNumber inode) = 0;
  // Everything written before is on the Disk, and the Disk is flushed.
  virtual void flush() = 0;
  // flush(), and the file system is marked clean; called once, at the end, with nothing in flight.
  virtual void finish() = 0;
};

}  // namespace vimg
