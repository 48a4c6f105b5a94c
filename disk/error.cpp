#include "disk/error.h"

#include <cerrno>
#include <system_error>

#include <fmt/format.h>

namespace vimg {

void throw_error(int code, std::string_view layer, std::string_view message) {
  throw Error(code, fmt::format("{}: {}", layer, message));
}

void throw_corrupt(std::string_view layer, std::string_view message) {
  throw_error(EUCLEAN, layer, message);
}

void throw_unsupported(std::string_view layer, std::string_view message) {
  throw_error(EOPNOTSUPP, layer, message);
}

void throw_errno(int code, std::string_view layer, std::string_view message) {
  throw Error(code,
              fmt::format("{}: {}: {}", layer, message, std::generic_category().message(code)));
}

ExitCode exit_code_for(const Error& error) noexcept {
  switch (error.code()) {
    case EACCES:
    case ELOOP:
      return ExitCode::refused;
    case EBUSY:
      return ExitCode::locked;
    case EINVAL:
    case EEXIST:
      return ExitCode::usage;
    default:
      return ExitCode::cannot_open;
  }
}

}  // namespace vimg
