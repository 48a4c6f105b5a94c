#include "sources/image_lock.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {
namespace {

// From QEMU's block/file-posix.c and include/block/block-common.h.  Every process holds a shared
// lock on byte 100 + n while it uses permission n, and on 200 + n while it forbids n to others.
// Then it asks whether anybody else holds what conflicts.  As all locks are shared, taking one
// never fails for a QEMU, and of two that come at once both see the other.
constexpr off_t used_base = 100;
constexpr off_t forbidden_base = 200;

enum class Permission : std::uint8_t { consistent_read = 0, write = 1, resize = 3 };

// As QEMU's messages call them.
const char* name_of(Permission permission) noexcept {
  switch (permission) {
    case Permission::consistent_read:
      return "consistent read";
    case Permission::write:
      return "write";
    default:
      return "resize";
  }
}

constexpr std::array forbidden{Permission::write, Permission::resize};
constexpr std::array reader_uses{Permission::consistent_read};
constexpr std::array writer_uses{Permission::consistent_read, Permission::write,
                                 Permission::resize};

std::span<const Permission> uses_of(Access access) noexcept {
  if (access == Access::read_write) {
    return writer_uses;
  }
  return reader_uses;
}

struct flock one_byte(short type, off_t base, Permission permission) noexcept {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = base + off_t(permission);
  lock.l_len = 1;
  return lock;
}

enum class Taken { yes, conflict, unavailable };

Taken take(int fd, off_t base, Permission permission) noexcept {
  struct flock lock = one_byte(F_RDLCK, base, permission);
  while (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
    if (errno == EINTR) {
      continue;
    }
    return errno == EAGAIN || errno == EACCES ? Taken::conflict : Taken::unavailable;
  }
  return Taken::yes;
}

// True when another open file holds the byte.
bool held_by_other(int fd, off_t base, Permission permission) noexcept {
  struct flock lock = one_byte(F_WRLCK, base, permission);
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void drop_all(int fd) noexcept {
  for (const off_t base : {used_base, forbidden_base}) {
    struct flock lock = one_byte(F_UNLCK, base, Permission::consistent_read);
    lock.l_len = forbidden_base - used_base;
    fcntl(fd, F_OFD_SETLK, &lock);
  }
}

Taken take_all(int fd, Access access) noexcept {
  for (const Permission permission : uses_of(access)) {
    if (const Taken taken = take(fd, used_base, permission); taken != Taken::yes) {
      return taken;
    }
  }
  for (const Permission permission : forbidden) {
    if (const Taken taken = take(fd, forbidden_base, permission); taken != Taken::yes) {
      return taken;
    }
  }
  return Taken::yes;
}

// What another process holds against us, in words.
std::optional<std::string> conflict(int fd, Access access) {
  for (const Permission permission : uses_of(access)) {
    if (held_by_other(fd, forbidden_base, permission)) {
      return fmt::format("another process does not share the \"{}\" permission",
                         name_of(permission));
    }
  }
  for (const Permission permission : forbidden) {
    if (held_by_other(fd, used_base, permission)) {
      return fmt::format("another process holds the \"{}\" permission", name_of(permission));
    }
  }
  return std::nullopt;
}

}  // namespace

void lock_image(int fd, const std::string& path, Access access, std::string* warning) {
  const Taken taken = take_all(fd, access);
  if (taken == Taken::unavailable) {
    return;
  }
  auto reason = conflict(fd, access);
  if (!reason && taken == Taken::conflict) {
    reason = "another process has locked it";
  }
  if (!reason) {
    return;
  }
  if (access == Access::read_write) {
    throw_error(EBUSY, path, fmt::format("image is in use: {}", *reason));
  }
  drop_all(fd);
  if (warning != nullptr) {
    *warning = fmt::format("{}: image is in use: {}; what is read may change and make no sense",
                           path, *reason);
  }
}

}  // namespace vimg
