// Error: the one exception class, and the functions that throw it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace vimg {

// An errno and a message that says layer, place, found and expected.
//
//   EUCLEAN     what an image or file system holds is broken
//   EOPNOTSUPP  valid, but not supported; the message names the feature
//   EIO         the host failed
//   EROFS       written to what may only be read
//   EACCES      a reference inside an image was refused as unsafe
//   ELOOP       references nest too deeply
//   EBUSY       locked by another process
//   EINVAL      the caller asked for what cannot be (a range outside a disk, a bad option)
//   and the host's own errno (ENOENT, ENOSPC, EPERM for a host file that may not be opened …)
class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& message) : std::runtime_error(message), code_(code) {}

  int code() const noexcept { return code_; }

 private:
  int code_;
};

// Throws Error(EUCLEAN, "LAYER: MESSAGE").
[[noreturn]] void throw_corrupt(std::string_view layer, std::string_view message);

// Throws Error(EOPNOTSUPP, "LAYER: MESSAGE").
[[noreturn]] void throw_unsupported(std::string_view layer, std::string_view message);

// Throws Error(code, "LAYER: MESSAGE").
[[noreturn]] void throw_error(int code, std::string_view layer, std::string_view message);

// Throws Error(code, "LAYER: MESSAGE: <the text of code>"), for a failed call to the host.
[[noreturn]] void throw_errno(int code, std::string_view layer, std::string_view message);

// Runs `action`; an Error from it is thrown on with "CONTEXT: " before its message.
template <typename Action>
auto within(std::string_view context, Action&& action) {
  try {
    return action();
  } catch (const Error& error) {
    throw Error(error.code(), std::string(context) + ": " + error.what());
  }
}

// The exit codes of every command, as DESIGN.md section 5 has them.
enum class ExitCode {
  ok = 0,
  findings = 1,
  usage = 2,
  cannot_open = 3,
  refused = 4,
  locked = 5,
  flush_failed = 6,
};

// The exit code for an error met while opening: EACCES and ELOOP are refusals, EBUSY is a lock,
// EINVAL is a wrong command line.
ExitCode exit_code_for(const Error& error) noexcept;

}  // namespace vimg
