#include "disk/temporary_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {

FileDescriptor make_temporary_file() {
  const char* const chosen = std::getenv("TMPDIR");
  const std::string directory = chosen != nullptr && *chosen != '\0' ? chosen : "/var/tmp";
  FileDescriptor fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) {
    return fd;
  }
  // Some file systems cannot make a file without a name.
  std::string path = directory + "/vimg-scratch-XXXXXX";
  FileDescriptor named(mkostemp(path.data(), O_CLOEXEC));
  if (!named) {
    throw_errno(errno, "temporary file", fmt::format("cannot be made in {}", directory));
  }
  unlink(path.c_str());
  return named;
}

}  // namespace vimg
