// MountOptions: the command line of vimgmount, understood.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fuse/advice.h"
#include "fuse/mount_state.h"
#include "guest/guest.h"

namespace vimg {

// guestmount's -m VOLUME[:MOUNTPOINT[:OPTIONS[:TYPE]]].
struct MountRequest {
  std::string volume;
  std::string mountpoint = "/";
  std::vector<std::string> options{};  // the file system's own
  std::string type{};
  MountAccess access = MountAccess::read_write;  // the most; ro among the options lowers it
};

// What lies at the mount point.
enum class Layout {
  everything,  // disks/, volumes/, filesystems/, root/, .vimg/
  requests,    // those of -m and --volume
  inspected,   // the guest's own tree: -i
};

struct MountOptions {
  std::vector<std::string> images;
  std::string mountpoint;
  GuestOptions guest;
  Layout layout = Layout::everything;
  std::vector<MountRequest> requests;
  Permissions permissions = Permissions::none;
  std::vector<std::string> session_words;  // for libfuse's -o: "allow_other", "noexec"
  std::string pid_file;
  std::optional<int> ready_fd;  // guestmount's --fd: gets a byte when the tree is ready
  enum class Run { background, foreground } run = Run::background;
  ProblemLog::Echo echo = ProblemLog::Echo::off;
};

// Throws Advice.
MountOptions parse_mount_options(int count, const char* const* arguments);

// Throws Error(EINVAL) when `text` is no -m argument.
MountRequest parse_mount_request(const std::string& text);

// Takes the comma-separated words of one -o into `options`, and returns those that are not known
// here: the file system's own.
std::vector<std::string> apply_mount_words(const std::string& words, MountOptions& options);

// Options of a file system less those that the kernel's VFS would take, as mount(8) and fstab mix
// them: "noatime", "defaults", "nofail".
std::vector<std::string> filesystem_options(const std::vector<std::string>& words);

}  // namespace vimg
