// Ext2Handle: libext2fs over a Disk, with its errors as Error.
#pragma once

#include <memory>
#include <string_view>

#include <ext2fs/ext2fs.h>

#include "disk/disk.h"

namespace vimg {

// The errno that says best what `code` means: a code below 256 is one already; what libext2fs has
// no closer word for is EUCLEAN, since nearly all of its codes tell of damage.
int errno_of(errcode_t code) noexcept;

// Throws Error(errno_of(code), "ext4: WHAT: <the text of code>").
[[noreturn]] void throw_ext2(errcode_t code, std::string_view what);

// An open file system of libext2fs.  The library is not re-entrant: one thread at a time uses a
// handle, and the functions of the library that are given it.
class Ext2Handle {
 public:
  Ext2Handle(const Ext2Handle&) = delete;
  Ext2Handle& operator=(const Ext2Handle&) = delete;
  Ext2Handle(Ext2Handle&&) noexcept = default;
  Ext2Handle& operator=(Ext2Handle&&) noexcept = default;
  // Frees the memory and writes nothing: whoever changed something calls ext2fs_flush before.
  ~Ext2Handle() = default;

  ext2_filsys get() const noexcept { return filsys_.get(); }
  ext2_filsys operator->() const noexcept { return filsys_.get(); }

  // To be given what a call of the library returned.  Throws what the Disk threw during the call,
  // else throw_ext2(code, what) when `code` is not 0.  A failed write is thrown even when the
  // library returned 0: no error is lost.
  void check(errcode_t code, std::string_view what) const;

  // What a channel keeps of its Disk; defined where the callbacks are.
  struct Channel;

 private:
  friend Ext2Handle open_ext2fs(DiskPtr disk, int flags);
  struct Free {
    void operator()(ext2_filsys filsys) const noexcept { ext2fs_free(filsys); }
  };

  explicit Ext2Handle(std::shared_ptr<Channel> channel);

  std::shared_ptr<Channel> channel_;  // outlives filsys_, whose io channel points to it
  std::unique_ptr<struct_ext2_filsys, Free> filsys_;
};

// Opens the file system on `disk` with `flags` (EXT2_FLAG_RW, EXT2_FLAG_SUPER_ONLY …;
// EXT2_FLAG_64BITS is always added).  Every block the library asks for is checked to lie on the
// disk, else Error(EUCLEAN).  The library validates little: check the superblock first.
Ext2Handle open_ext2fs(DiskPtr disk, int flags);

}  // namespace vimg
