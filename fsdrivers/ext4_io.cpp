#include "fsdrivers/ext4_io.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {

struct Ext2Handle::Channel {
  DiskPtr disk;
  // The first Error since the last check().
  std::exception_ptr read_failure;
  std::exception_ptr write_failure;
};

namespace {

constexpr char layer[] = "ext4";

struct CodeErrno {
  errcode_t code;
  int number;
};
constexpr CodeErrno code_errnos[] = {
    {EXT2_ET_RO_FILSYS, EROFS},
    {EXT2_ET_FILE_RO, EROFS},
    {EXT2_ET_UNSUPP_FEATURE, EOPNOTSUPP},
    {EXT2_ET_RO_UNSUPP_FEATURE, EROFS},
    {EXT2_ET_REV_TOO_HIGH, EOPNOTSUPP},
    {EXT2_ET_UNIMPLEMENTED, EOPNOTSUPP},
    {EXT2_ET_OP_NOT_SUPPORTED, EOPNOTSUPP},
    {EXT2_ET_EXTERNAL_JOURNAL_NOSUPP, EOPNOTSUPP},
    {EXT2_ET_NO_MEMORY, ENOMEM},
    {EXT2_ET_INVALID_ARGUMENT, EINVAL},
    {EXT2_ET_BLOCK_ALLOC_FAIL, ENOSPC},
    {EXT2_ET_INODE_ALLOC_FAIL, ENOSPC},
    {EXT2_ET_DIR_NO_SPACE, ENOSPC},
    {EXT2_ET_EXTENT_NO_SPACE, ENOSPC},
    {EXT2_ET_EA_NO_SPACE, ENOSPC},
    {EXT2_ET_INLINE_DATA_NO_SPACE, ENOSPC},
    {EXT2_ET_FILE_NOT_FOUND, ENOENT},
    {EXT2_ET_FILE_EXISTS, EEXIST},
    {EXT2_ET_DIR_EXISTS, EEXIST},
    {EXT2_ET_NO_DIRECTORY, ENOTDIR},
    {EXT2_ET_SYMLINK_LOOP, ELOOP},
    {EXT2_ET_FILE_TOO_BIG, EFBIG},
    {EXT2_ET_EA_KEY_NOT_FOUND, ENODATA},
    {EXT2_ET_BAD_INODE_NUM, ESTALE},
    {EXT2_ET_MMP_FAILED, EBUSY},
    {EXT2_ET_MMP_FSCK_ON, EBUSY},
    {EXT2_ET_SHORT_READ, EIO},
    {EXT2_ET_SHORT_WRITE, EIO},
};

// The library gives the open callback a name and nothing else.
thread_local Ext2Handle::Channel* channel_to_open = nullptr;

Ext2Handle::Channel& channel_of(io_channel io) noexcept {
  return *static_cast<Ext2Handle::Channel*>(io->private_data);
}

// Runs `action`; an exception is kept in `failure` unless one is there, and an errno returned.
template <typename Action>
errcode_t guard(std::exception_ptr& failure, Action&& action) noexcept {
  try {
    action();
    return 0;
  } catch (const Error& error) {
    failure = failure == nullptr ? std::current_exception() : failure;
    return error.code();
  } catch (...) {
    failure = failure == nullptr ? std::current_exception() : failure;
    return EIO;
  }
}

struct ByteRange {
  std::uint64_t offset;
  std::uint64_t length;
};

ByteRange checked_range(io_channel io, std::uint64_t block, std::uint64_t length) {
  const auto offset = checked_mul(block, std::uint64_t(io->block_size));
  const std::uint64_t size = channel_of(io).disk->size();
  if (!offset || !fits(*offset, length, size)) {
    throw_corrupt(layer, fmt::format("block {:#x} (+{:#x} bytes) lies beyond the end {:#x}", block,
                                     length, size));
  }
  return {*offset, length};
}

// A negative count is a number of bytes.
ByteRange checked_blocks(io_channel io, std::uint64_t block, int count) {
  const auto length = count < 0 ? std::uint64_t(-std::int64_t(count))
                                : std::uint64_t(count) * std::uint64_t(io->block_size);
  return checked_range(io, block, length);
}

errcode_t read_blocks64(io_channel io, unsigned long long block, int count, void* data) noexcept {
  return guard(channel_of(io).read_failure, [&] {
    const ByteRange range = checked_blocks(io, block, count);
    channel_of(io).disk->read(range.offset, {static_cast<std::byte*>(data), range.length});
  });
}

errcode_t write_blocks64(io_channel io, unsigned long long block, int count,
                         const void* data) noexcept {
  return guard(channel_of(io).write_failure, [&] {
    const ByteRange range = checked_blocks(io, block, count);
    channel_of(io).disk->write(range.offset, {static_cast<const std::byte*>(data), range.length});
  });
}

errcode_t read_blocks(io_channel io, unsigned long block, int count, void* data) noexcept {
  return read_blocks64(io, block, count, data);
}

errcode_t write_blocks(io_channel io, unsigned long block, int count, const void* data) noexcept {
  return write_blocks64(io, block, count, data);
}

errcode_t write_bytes(io_channel io, unsigned long offset, int count, const void* data) noexcept {
  return guard(channel_of(io).write_failure, [&] {
    channel_of(io).disk->write(offset, {static_cast<const std::byte*>(data), std::size_t(count)});
  });
}

errcode_t flush_channel(io_channel io) noexcept {
  return guard(channel_of(io).write_failure, [&] { channel_of(io).disk->flush(); });
}

errcode_t discard_blocks(io_channel io, unsigned long long block,
                         unsigned long long count) noexcept {
  return guard(channel_of(io).write_failure, [&] {
    const auto length = checked_mul(count, std::uint64_t(io->block_size));
    const ByteRange range = checked_range(io, block, length.value_or(UINT64_MAX));
    channel_of(io).disk->discard(range.offset, range.length);
  });
}

errcode_t zero_blocks(io_channel io, unsigned long long block, unsigned long long count) noexcept {
  return guard(channel_of(io).write_failure, [&] {
    const auto length = checked_mul(count, std::uint64_t(io->block_size));
    const ByteRange range = checked_range(io, block, length.value_or(UINT64_MAX));
    channel_of(io).disk->write_zeros(range.offset, range.length);
  });
}

errcode_t set_block_size(io_channel io, int block_size) noexcept {
  io->block_size = block_size;
  return 0;
}

errcode_t set_option(io_channel, const char*, const char*) noexcept { return 0; }

errcode_t close_channel(io_channel io) noexcept {
  if (--io->refcount == 0) {
    std::free(io->name);
    delete io;
  }
  return 0;
}

errcode_t open_channel(const char* name, int flags, io_channel* channel) noexcept;

const struct_io_manager& disk_io_manager() {
  static const struct_io_manager manager = [] {
    struct_io_manager made{};
    made.magic = EXT2_ET_MAGIC_IO_MANAGER;
    made.name = "Disk";
    made.open = open_channel;
    made.close = close_channel;
    made.set_blksize = set_block_size;
    made.read_blk = read_blocks;
    made.read_blk64 = read_blocks64;
    made.write_blk = write_blocks;
    made.write_blk64 = write_blocks64;
    made.write_byte = write_bytes;
    made.flush = flush_channel;
    made.set_option = set_option;
    made.discard = discard_blocks;
    made.zeroout = zero_blocks;
    return made;
  }();
  return manager;
}

errcode_t open_channel(const char* name, int, io_channel* channel) noexcept {
  auto* io = new (std::nothrow) struct_io_channel{};
  char* const name_copy = strdup(name);
  if (io == nullptr || name_copy == nullptr) {
    delete io;
    std::free(name_copy);
    return EXT2_ET_NO_MEMORY;
  }
  io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
  io->manager = const_cast<io_manager>(&disk_io_manager());
  io->name = name_copy;
  io->block_size = 1024;
  io->refcount = 1;
  io->private_data = channel_to_open;
  *channel = io;
  return 0;
}

// error_message() knows the library's texts only after this.
void load_error_texts() {
  static const bool loaded = [] {
    initialize_ext2_error_table();
    return true;
  }();
  static_cast<void>(loaded);
}

}  // namespace

int errno_of(errcode_t code) noexcept {
  if (code >= 0 && code < 256) {
    return int(code);
  }
  for (const CodeErrno& entry : code_errnos) {
    if (entry.code == code) {
      return entry.number;
    }
  }
  return EUCLEAN;
}

void throw_ext2(errcode_t code, std::string_view what) {
  load_error_texts();
  throw_error(errno_of(code), layer, fmt::format("{}: {}", what, error_message(code)));
}

Ext2Handle::Ext2Handle(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}

void Ext2Handle::check(errcode_t code, std::string_view what) const {
  const std::exception_ptr read_failure = std::exchange(channel_->read_failure, nullptr);
  const std::exception_ptr write_failure = std::exchange(channel_->write_failure, nullptr);
  if (write_failure != nullptr) {
    std::rethrow_exception(write_failure);
  }
  if (code == 0) {
    return;
  }
  if (read_failure != nullptr) {
    std::rethrow_exception(read_failure);
  }
  throw_ext2(code, what);
}

Ext2Handle open_ext2fs(DiskPtr disk, int flags) {
  Ext2Handle handle(
      std::make_shared<Ext2Handle::Channel>(Ext2Handle::Channel{std::move(disk), {}, {}}));
  ext2_filsys filsys = nullptr;
  channel_to_open = handle.channel_.get();
  const errcode_t code = ext2fs_open2("disk", nullptr, flags | EXT2_FLAG_64BITS, 0, 0,
                                      const_cast<io_manager>(&disk_io_manager()), &filsys);
  channel_to_open = nullptr;
  handle.filsys_.reset(filsys);
  handle.check(code, "cannot open");
  return handle;
}

}  // namespace vimg
