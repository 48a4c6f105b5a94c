#include "fuse/options.h"

#include <cerrno>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "disk/error.h"

namespace vimg {
namespace {

// The words as they stand on the command line; what they mean together is decided afterwards.
struct CommandLine {
  std::vector<std::string> positionals, added, requests, words, allowed, keys;
  std::string volume, overlay, format, snapshot, pid_file;
  int ready_fd = -1, directory_cache = 0;
  bool read_only = false, read_write = false, scratch = false, inspect = false;
  bool foreground = false, verbose = false, ignored = false;
};

void declare_images(CLI::App& app, CommandLine& line) {
  app.add_option("IMAGE… MOUNTPOINT", line.positionals,
                 "the images, and the directory to mount at");
  app.add_option("-a,--add", line.added, "an image, as guestmount has it")->allow_extra_args(false);
  app.add_option("--format", line.format, "the images' format; obeyed, not detected");
  app.add_option("--snapshot", line.snapshot, "show this internal snapshot, by name or ID");
  app.add_option("--allow-refs", line.allowed,
                 "images may also refer to files in this directory; may be given again")
      ->allow_extra_args(false);
}

void declare_writing(CLI::App& app, CommandLine& line) {
  app.add_flag("-r,--ro", line.read_only, "change no byte of any file (the default)");
  app.add_flag("-w,--rw", line.read_write, "write into the images");
  app.add_option("--overlay", line.overlay,
                 "write into this qcow2 file; it is made if it is not there");
  app.add_flag("--scratch", line.scratch, "throw away at the end what was written");
}

void declare_layout(CLI::App& app, CommandLine& line) {
  app.add_option("--volume", line.volume, "show this volume's file system at the mount point");
  app.add_flag("-i,--inspect", line.inspect, "show the guest's own tree, as its /etc/fstab has it");
  app.add_option("-m,--mount", line.requests,
                 "VOLUME[:MOUNTPOINT[:OPTIONS[:TYPE]]]; may be given again")
      ->allow_extra_args(false);
  app.add_option("-o,--options", line.words, "mount options, separated by commas")
      ->allow_extra_args(false);
}

void declare_running(CLI::App& app, CommandLine& line) {
  app.add_flag("--no-fork,-f", line.foreground, "stay in the foreground");
  app.add_option("--pid-file", line.pid_file, "write the process number here when ready");
  app.add_option("--fd", line.ready_fd, "write a byte to this descriptor when ready");
  app.add_flag("-v,--verbose", line.verbose, "say every problem on stderr as it is met");
  app.set_version_flag("-V,--version", "vimgmount " VIMG_VERSION);
  // guestmount's, of which nothing depends here.
  app.add_option("--key", line.keys, "a key; nothing encrypted can be opened yet")
      ->allow_extra_args(false);
  app.add_flag("--keys-from-stdin,--echo-keys", line.ignored, "accepted for guestmount's sake");
  app.add_flag("-x,--trace,-n,--no-sync,--selinux,--live", line.ignored)->group("");
  app.add_option("--dir-cache-timeout", line.directory_cache)->group("");
}

[[noreturn]] void refuse(const std::string& message) { throw usage_advice("vimgmount", message); }

void take_images(const CommandLine& line, MountOptions& options) {
  options.images = line.added;
  auto positionals = line.positionals;
  if (positionals.empty()) {
    refuse("no mount point");
  }
  options.mountpoint = positionals.back();
  positionals.pop_back();
  options.images.insert(options.images.end(), positionals.begin(), positionals.end());
  if (options.images.empty()) {
    refuse("no image");
  }
}

void take_writing(const CommandLine& line, MountOptions& options) {
  const int ways =
      int(line.read_only) + int(line.read_write) + int(line.scratch) + int(!line.overlay.empty());
  if (ways > 1) {
    refuse("--ro, --rw, --overlay and --scratch exclude each other");
  }
  if (line.read_only) {
    options.guest.write = WriteMode::none;
  } else if (line.read_write) {
    options.guest.write = WriteMode::in_place;
  } else if (line.scratch) {
    options.guest.write = WriteMode::scratch;
  } else if (!line.overlay.empty()) {
    options.guest.write = WriteMode::overlay;
    options.guest.overlay_path = line.overlay;
  }
  if (options.guest.write == WriteMode::overlay && options.images.size() != 1) {
    refuse("--overlay takes one image");
  }
}

void take_layout(const CommandLine& line, MountOptions& options) {
  if (!line.volume.empty()) {
    options.requests.push_back({.volume = line.volume});
  }
  for (const std::string& request : line.requests) {
    options.requests.push_back(parse_mount_request(request));
  }
  if (line.inspect) {
    options.layout = Layout::inspected;
  }
  if (options.requests.empty()) {
    return;
  }
  if (options.layout == Layout::inspected) {
    refuse("-i decides what is mounted where, so it excludes -m and --volume");
  }
  options.layout = Layout::requests;
}

// With one file system at the mount point, its options may stand among those of the mount, as they
// do with mount(8).
void give_to_filesystem(const std::vector<std::string>& words, MountOptions& options) {
  if (words.empty()) {
    return;
  }
  if (options.requests.size() != 1) {
    refuse(fmt::format("unknown option '{}' in -o; file systems have theirs in -m", words.front()));
  }
  auto& own = options.requests.front().options;
  own.insert(own.end(), words.begin(), words.end());
}

MountOptions options_of(const CommandLine& line) {
  MountOptions options;
  std::vector<std::string> unknown;
  for (const std::string& words : line.words) {
    const auto rest = apply_mount_words(words, options);
    unknown.insert(unknown.end(), rest.begin(), rest.end());
  }
  take_images(line, options);
  options.guest.format = line.format.empty() ? options.guest.format : line.format;
  options.guest.snapshot = line.snapshot.empty() ? options.guest.snapshot : line.snapshot;
  auto& allowed = options.guest.allowed_directories;
  allowed.insert(allowed.end(), line.allowed.begin(), line.allowed.end());
  take_writing(line, options);
  take_layout(line, options);
  give_to_filesystem(unknown, options);
  options.pid_file = line.pid_file;
  options.run = line.foreground ? MountOptions::Run::foreground : MountOptions::Run::background;
  options.echo = line.verbose ? ProblemLog::Echo::on : ProblemLog::Echo::off;
  if (line.ready_fd >= 0) {
    options.ready_fd = line.ready_fd;
  }
  return options;
}

}  // namespace

MountOptions parse_mount_options(int count, const char* const* arguments) {
  CommandLine line;
  CLI::App app(
      "Mounts virtual machine images: their volumes as files, their file systems as trees.",
      "vimgmount");
  declare_images(app, line);
  declare_writing(app, line);
  declare_layout(app, line);
  declare_running(app, line);
  try {
    app.parse(count, arguments);
    return options_of(line);
  } catch (const CLI::CallForHelp&) {
    throw Advice{0, app.help()};
  } catch (const CLI::CallForVersion& version) {
    throw Advice{0, std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    refuse(error.what());
  } catch (const Error& error) {
    refuse(error.what());
  }
}

}  // namespace vimg
