// Words for the user: advice about a command line, errors and warnings of vimgmount.
#pragma once

#include <string>

namespace vimg {

// What a command line gets instead of work: help, the version, or what is wrong with it.
struct Advice {
  int exit_code;
  std::string text;
};

// Prints it, on stderr when it tells of a mistake, and returns its exit code.
int give(const Advice& advice);

// The advice for `message`, with the usage exit code: "COMMAND: MESSAGE" and where help is.
Advice usage_advice(const std::string& command, const std::string& message);

// "vimgmount: MESSAGE" on stderr.
void say(const std::string& message);
// "vimgmount: warning: MESSAGE" on stderr.
void warn(const std::string& message);

}  // namespace vimg
