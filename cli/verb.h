// Verb: one of vimg's commands, and the list of them.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>

#include "disk/error.h"

namespace CLI {
class App;
}

namespace vimg {

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

struct Verb {
  // What is left to do once the command line was read.  Throws Error.
  using Action = std::function<ExitCode(const Streams&)>;

  const char* name;
  const char* summary;  // one line, for --help
  // Adds the verb's options and arguments to `command`.  The action is called after a successful
  // parse only, and at most once.
  Action (*declare)(CLI::App& command);
};

// In the order of --help.
std::span<const Verb* const> verbs() noexcept;

}  // namespace vimg
