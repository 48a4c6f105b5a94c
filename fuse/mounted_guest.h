// MountedGuest: an opened guest and what the mount shows of it.
#pragma once

#include <memory>

#include "fuse/options.h"
#include "fuse/status_socket.h"
#include "fuse/tree.h"
#include "guest/details.h"

namespace vimg {

// show(), say_warnings() and finish() by one thread, the others from any.
class MountedGuest {
 public:
  // Opens the images.  Throws Error.
  explicit MountedGuest(const MountOptions& options);
  // Does what finish() does when nobody has: a file system that was opened for writing is never
  // left without its end.
  ~MountedGuest();
  MountedGuest(const MountedGuest&) = delete;
  MountedGuest& operator=(const MountedGuest&) = delete;

  // Decides what is seen, and opens what was asked for by name.  Throws Error.
  void show(const MountOptions& options);
  MountState& state() noexcept { return state_; }

  // What the user should know before the mount is there.
  void say_warnings();
  // What was written is brought to the images; they stay open.
  void flush() noexcept;
  // The mount is gone.  All is written and marked clean, or the answer says what could not be. When
  // all is well its message holds the problems met since say_warnings(), a line each.
  FinalStatus finish() noexcept;

 private:
  std::shared_ptr<Guest> guest_;
  GuestDetails details_;
  ProblemLog problems_;
  std::size_t problems_said_ = 0;
  VolumeClaims claims_;
  Tree tree_;
  MountState state_;
  enum class Phase { open, finished } phase_ = Phase::open;
};

}  // namespace vimg
