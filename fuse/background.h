// Going to the background: the command returns when the daemon is ready, with its exit code.
#pragma once

#include <functional>

namespace vimg {

// What a daemon calls when all is ready: from then on it has no terminal and nobody waits for it.
using Ready = std::function<void()>;

// Runs `serve` in a child process, and returns 0 as soon as that says that it is ready, or else its
// exit code.  What the child says on stderr until then, the user sees.  Called before there are
// threads.
int run_in_background(const std::function<int(const Ready&)>& serve);

}  // namespace vimg
