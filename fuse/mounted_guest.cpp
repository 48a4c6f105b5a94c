#include "fuse/mounted_guest.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <span>

#include <fmt/format.h>

#include "fuse/advice.h"
#include "fuse/report.h"
#include "fuse/tree_builder.h"

namespace vimg {

MountedGuest::MountedGuest(const MountOptions& options)
    : guest_(Guest::open(options.images, options.guest)),
      problems_(options.echo),
      claims_(volume_overlaps(*guest_)),
      state_{.tree = tree_,
             .problems = problems_,
             .claims = claims_,
             .volume_disk = [this](std::size_t index) { return guest_->volumes()[index].disk; },
             .report = [this] { return report_text(*guest_, details_, problems_.messages()); }} {
  state_.access = guest_->writable() ? MountAccess::read_write : MountAccess::read_only;
  state_.permissions = options.permissions;
  state_.owner = geteuid();
  state_.owner_group = getegid();
  clock_gettime(CLOCK_REALTIME, &state_.mounted);
}

MountedGuest::~MountedGuest() {
  if (phase_ == Phase::open) {
    finish();
  }
}

void MountedGuest::show(const MountOptions& options) {
  details_.systems = build_tree(*guest_, options, claims_, problems_, tree_);
}

void MountedGuest::say_warnings() {
  for (const Image& image : guest_->images()) {
    for (const std::string& warning : image.warnings) {
      warn(warning);
    }
  }
  for (const std::string& problem : guest_->problems()) {
    warn(problem);
  }
  const auto problems = problems_.messages();
  problems_said_ = problems.size();
  for (const std::string& problem : problems) {
    warn(problem);
  }
}

void MountedGuest::flush() noexcept {
  for (ServedFileSystem& filesystem : tree_.filesystems()) {
    if (WritableFileSystem* writer = filesystem.writer()) {
      note_errors(problems_, [writer] { writer->flush(); });
    }
  }
  for (const Image& image : guest_->images()) {
    note_errors(problems_, [&image] { image.disk->flush(); });
  }
}

FinalStatus MountedGuest::finish() noexcept {
  phase_ = Phase::finished;
  for (ServedFileSystem& filesystem : tree_.filesystems()) {
    note_errors(problems_, [&filesystem] { filesystem.forget_all(); });
  }
  try {
    guest_->finish();
    const auto problems = problems_.messages();
    const auto unsaid = std::span(problems).subspan(std::min(problems_said_, problems.size()));
    return {ExitCode::ok, fmt::format("{}", fmt::join(unsaid, "\n"))};
  } catch (const std::exception& error) {
    return {ExitCode::flush_failed, error.what()};
  }
}

}  // namespace vimg
