#include "fuse/operations.h"

#include "fuse/guard.h"
#include "fuse/thread_buffer.h"

namespace vimg {
namespace {

// What libfuse would ask for by itself and is not wanted here:
//   ATOMIC_O_TRUNC     open() does not truncate; the kernel then asks for it apart
//   HANDLE_KILLPRIV    its second version is better: init_flags.h
//   AUTO_INVAL_DATA    nothing changes behind the kernel's back, so no cache is doubted
//   SPLICE_*           the bytes are in memory already; a pipe would only be a detour
constexpr unsigned unwanted = FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV |
                              FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
                              FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_IOCTL_DIR;
constexpr unsigned wanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                            FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_DIO |
                            FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPLICIT_INVAL_DATA |
                            FUSE_CAP_DONT_MASK;

unsigned capabilities_for(const MountState& mount) noexcept {
  unsigned result = wanted;
  if (mount.writable()) {
    result |= FUSE_CAP_WRITEBACK_CACHE;
  }
  if (mount.permissions == Permissions::kernel) {
    result |= FUSE_CAP_POSIX_ACL;
  }
  return result;
}

void init(void* user_data, fuse_conn_info* connection) noexcept {
  const auto& mount = *static_cast<const MountState*>(user_data);
  connection->want &= ~unwanted;
  connection->want |= capabilities_for(mount) & connection->capable;
  connection->max_write = max_transfer;
  connection->max_readahead = max_transfer;
  connection->max_background = 64;
  connection->congestion_threshold = 48;
  connection->time_gran = 1;
}

}  // namespace

fuse_lowlevel_ops mount_operations() {
  fuse_lowlevel_ops operations{};
  operations.init = init;
  add_lookup_operations(operations);
  add_directory_operations(operations);
  add_read_operations(operations);
  add_write_operations(operations);
  add_name_operations(operations);
  add_xattr_operations(operations);
  return operations;
}

}  // namespace vimg
