#include "fuse/mount.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "disk/error.h"
#include "fuse/control_thread.h"
#include "fuse/mount_table.h"
#include "fuse/report.h"
#include "fuse/session.h"
#include "fuse/status_socket.h"
#include "fuse/tree_builder.h"

namespace vimg {
namespace {

namespace fs = std::filesystem;

void say(const std::string& message) {
  std::fputs(fmt::format("vimgmount: {}\n", message).c_str(), stderr);
}

[[noreturn]] void refuse_mountpoint(const MountOptions& options, int code) {
  // EACCES would mean a reference inside an image that was refused.
  throw_errno(code == EACCES ? EPERM : code, "mount point", options.mountpoint);
}

// Throws Error when nothing can be mounted there; returns it absolute, without symbolic links.
std::string checked_mountpoint(const MountOptions& options) {
  std::error_code error;
  const fs::path mountpoint = fs::canonical(options.mountpoint, error);
  if (error) {
    refuse_mountpoint(options, error.value());
  }
  if (!fs::is_directory(mountpoint)) {
    refuse_mountpoint(options, ENOTDIR);
  }
  for (const std::string& image : options.images) {
    const fs::path directory = fs::weakly_canonical(image, error).parent_path();
    const auto [end, unused] =
        std::mismatch(mountpoint.begin(), mountpoint.end(), directory.begin(), directory.end());
    if (!error && end == mountpoint.end()) {
      throw_error(EINVAL, "mount point",
                  fmt::format("{} would be hidden under its own mount", image));
    }
  }
  return mountpoint;
}

void write_pid_file(const std::string& path) {
  if (path.empty()) {
    return;
  }
  std::ofstream file(path);
  file << getpid() << '\n';
  if (!file.flush()) {
    throw_errno(errno, "pid file", path);
  }
}

void tell_ready(const MountOptions& options) {
  if (options.ready_fd && ::write(*options.ready_fd, "", 1) < 0) {
    throw_errno(errno, "--fd", std::to_string(*options.ready_fd));
  }
}

timespec now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time;
}

// An opened guest and what is shown of it.
class Mount {
 public:
  explicit Mount(const MountOptions& options)
      : guest_(Guest::open(options.images, options.guest)),
        problems_(options.echo),
        claims_(volume_overlaps(*guest_)) {
    details_.systems = build_tree(*guest_, options, claims_, problems_, tree_);
  }

  MountState state(const MountOptions& options) {
    MountState state{
        .tree = tree_,
        .problems = problems_,
        .claims = claims_,
        .volume_disk = [this](std::size_t i) { return guest_->volumes()[i].disk; },
        .report = [this] { return report_text(*guest_, details_, problems_.messages()); }};
    state.access = guest_->writable() ? MountAccess::read_write : MountAccess::read_only;
    state.permissions = options.permissions;
    state.owner = geteuid();
    state.owner_group = getegid();
    state.mounted = now();
    return state;
  }

  // What the user should know now.
  void say_warnings() const {
    for (const Image& image : guest_->images()) {
      for (const std::string& warning : image.warnings) {
        say("warning: " + warning);
      }
    }
    for (const std::string& problem : guest_->problems()) {
      say("warning: " + problem);
    }
    for (const std::string& problem : problems_.messages()) {
      say("warning: " + problem);
    }
  }

  // What was written is brought to the images; they stay open.
  void flush() noexcept {
    for (ServedFileSystem& filesystem : tree_.filesystems()) {
      if (WritableFileSystem* writer = filesystem.writer()) {
        note_errors(problems_, [writer] { writer->flush(); });
      }
    }
    for (const Image& image : guest_->images()) {
      note_errors(problems_, [&image] { image.disk->flush(); });
    }
  }

  FinalStatus finish() noexcept {
    try {
      for (ServedFileSystem& filesystem : tree_.filesystems()) {
        filesystem.forget_all();
      }
      guest_->finish();
      return {ExitCode::ok, {}};
    } catch (const std::exception& error) {
      return {ExitCode::flush_failed, error.what()};
    }
  }

 private:
  std::shared_ptr<Guest> guest_;
  GuestDetails details_;
  ProblemLog problems_;
  VolumeClaims claims_;
  Tree tree_;
};

// What findmnt and df show: the first image.
std::string source_of(const MountOptions& options) {
  std::error_code error;
  const fs::path path = fs::absolute(options.images.front(), error);
  return error ? options.images.front() : path.string();
}

int serve(const MountOptions& options, const Ready& ready) {
  const std::string mountpoint = checked_mountpoint(options);
  Mount mount(options);
  mount.say_warnings();
  MountState state = mount.state(options);
  Session session(state, {source_of(options), options.session_words});
  session.mount(mountpoint);
  const auto mounted = find_fuse_mount(mountpoint);
  StatusServer status_server(mounted ? mounted->device : "unknown");
  {
    const ControlThread control(session, status_server, mountpoint, [&] { mount.flush(); });
    write_pid_file(options.pid_file);
    tell_ready(options);
    ready();
    session.serve();
  }
  const FinalStatus status = mount.finish();
  status_server.tell(status);
  if (status.code != ExitCode::ok) {
    say(status.message);
  }
  return int(status.code);
}

// One arena for all threads, and no memory that goes to the system and comes back with page faults:
// buffers are large and live long here.
void tune_memory() noexcept {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

}  // namespace

int serve_mount(const MountOptions& options, const Ready& ready) {
  try {
    block_ending_signals();
    return serve(options, ready);
  } catch (const Error& error) {
    say(error.what());
    return int(exit_code_for(error));
  } catch (const std::exception& error) {
    say(error.what());
    return int(ExitCode::cannot_open);
  }
}

int run_vimgmount(int count, const char* const* arguments) {
  tune_memory();
  try {
    const MountOptions options = parse_mount_options(count, arguments);
    if (options.run == MountOptions::Run::foreground) {
      return serve_mount(options, [] {});
    }
    return run_in_background([&](const Ready& ready) { return serve_mount(options, ready); });
  } catch (const Advice& advice) {
    return give(advice);
  }
}

}  // namespace vimg
