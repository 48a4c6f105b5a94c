#include "fuse/advice.h"

#include <cstdio>

#include <fmt/format.h>

#include "disk/error.h"

namespace vimg {

int give(const Advice& advice) {
  std::fputs(advice.text.c_str(), advice.exit_code == 0 ? stdout : stderr);
  return advice.exit_code;
}

Advice usage_advice(const std::string& command, const std::string& message) {
  return {int(ExitCode::usage), fmt::format("{0}: {1}\nTry '{0} --help'.\n", command, message)};
}

void say(const std::string& message) {
  std::fputs(fmt::format("vimgmount: {}\n", message).c_str(), stderr);
}

void warn(const std::string& message) { say("warning: " + message); }

}  // namespace vimg
