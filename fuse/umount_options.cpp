#include "fuse/umount_options.h"

#include <CLI/CLI.hpp>

#include "fuse/advice.h"

namespace vimg {

UmountOptions parse_umount_options(int count, const char* const* arguments) {
  UmountOptions options;
  bool lazy = false, quiet = false, once = false;
  int wait_fd = -1;
  CLI::App app(
      "Unmounts what vimgmount mounted, and returns when every byte is on the disk and the process "
      "has ended.",
      "vimgumount");
  app.add_option("MOUNTPOINT", options.mountpoint)->required();
  app.add_flag("-l,--lazy", lazy, "take it out of sight now; it ends when nobody uses it any more");
  app.add_option("--retry", options.attempts, "how often to try while it is in use")
      ->capture_default_str();
  app.add_flag("--no-retry", once, "try once");
  app.add_flag("-q,--quiet", quiet, "say nothing");
  app.add_option("--fd", wait_fd, "wait until the other end of this pipe is closed, then unmount");
  app.set_version_flag("-V,--version", "vimgumount " VIMG_VERSION);
  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp&) {
    throw Advice{0, app.help()};
  } catch (const CLI::CallForVersion& version) {
    throw Advice{0, std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    throw usage_advice("vimgumount", error.what());
  }
  options.mode = lazy ? UnmountMode::lazy : UnmountMode::when_unused;
  options.words = quiet ? UmountOptions::Words::none : UmountOptions::Words::all;
  options.attempts = once ? 1 : options.attempts;
  if (wait_fd >= 0) {
    options.wait_fd = wait_fd;
  }
  return options;
}

}  // namespace vimg
