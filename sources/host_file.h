// Host files: a regular file or block device as a Disk, opened through one gate, under QEMU's
// locks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"

namespace vimg {

enum class Access { read_only, read_write };

// Where an opened file lies: what references inside an image are resolved against.
struct HostLocation {
  std::string path;       // as the user gave it or as it was reached; for messages only
  std::string directory;  // "." or the path of the directory that holds it
  std::string root;       // the part of `directory` that the user named; images named the rest
};

// QEMU's image locks (block/file-posix.c): OFD locks on one byte per permission, held as long as
// the Disk lives.  off: none are taken or looked at.
enum class Locking { on, off };

// A host file as a Disk: a regular file (growable by writes past a resize()) or a block device.
// extent() answers with SEEK_DATA/SEEK_HOLE and names the fd.
//
// With Locking::on a reader takes "consistent read" and forbids others to write or resize; a writer
// takes those too.  Throws Error(EBUSY) naming the file and the conflicting permission when a
// writer cannot have its locks.  A reader of a file that another process is writing opens all the
// same, forbids nothing, and says so through `warning` (empty otherwise).
//
// Throws Error(EPERM) where the host says EACCES, as EACCES means a refused reference; else the
// host's errno.  Directories, sockets, FIFOs and character devices are refused with EINVAL.
DiskPtr open_host_file(const std::string& path, Access access, Locking locking,
                       std::string* warning);

// Creates the file (mode 0666 less the umask), which must not exist: Error(EEXIST).  Empty,
// writable.
DiskPtr create_host_file(const std::string& path, Locking locking);

// The gate: opens `name`, which an image at `from` names, as DESIGN.md section 6.1 asks:
// only inside from.directory or one of `allowed` directories (for a relative name: from.directory
// first; an absolute name is allowed when it lies below one of `allowed` or below from.directory),
// resolved with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), or the same
// by hand where openat2 is missing.  `json:`, URLs (`[a-z0-9+.-]+:` other than `file:`), UNC and
// `//` names, and anything but a regular file are refused: Error(EACCES) that names the reference,
// says why, and that --allow-refs DIR widens it.  A file that is not there is Error(ENOENT).
struct ReferencedFile {
  DiskPtr disk;
  HostLocation location;
};
ReferencedFile open_reference(const HostLocation& from, std::string_view name,
                              const std::vector<std::string>& allowed, Access access,
                              Locking locking, std::string* warning);

// The names, sorted, of the entries in the directory of `from` that begin with `prefix`; at most
// 10,000.  Nothing is said of what they are: opening them is open_reference's.  Empty when the
// directory cannot be read.
std::vector<std::string> names_beside(const HostLocation& from, std::string_view prefix);

// The location of a file that the user named.
HostLocation locate(const std::string& path);

// Two names are of one file when these are equal.
struct FileIdentity {
  std::uint64_t device;
  std::uint64_t inode;

  bool operator==(const FileIdentity&) const = default;
};
FileIdentity file_identity(int fd);
// `disk` came from one of the functions above.
FileIdentity file_identity(const Disk& disk);

}  // namespace vimg
