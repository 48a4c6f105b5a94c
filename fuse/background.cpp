#include "fuse/background.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "disk/error.h"

namespace vimg {
namespace {

// The shell's own code for a command that a signal ended.
constexpr int signal_code_base = 128;

void leave_terminal() noexcept {
  setsid();
  // Not to keep the directory's file system in use.
  if (chdir("/") != 0) {
    std::fputs("vimgmount: cannot leave the working directory\n", stderr);
  }
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    dup2(null, fd);
  }
  close(null);
}

void report(int pipe, int code) noexcept {
  const auto byte = static_cast<unsigned char>(code);
  while (write(pipe, &byte, 1) < 0 && errno == EINTR) {
  }
  close(pipe);
}

int await_report(int pipe, pid_t child) noexcept {
  unsigned char code = 0;
  ssize_t count = 0;
  while ((count = read(pipe, &code, 1)) < 0 && errno == EINTR) {
  }
  if (count == 1) {
    return code;
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    std::fprintf(stderr, "vimgmount: ended by signal %d (%s)\n", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    return signal_code_base + WTERMSIG(status);
  }
  return WEXITSTATUS(status);
}

}  // namespace

int run_in_background(const std::function<int(const Ready&)>& serve) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw_errno(errno, "vimgmount", "pipe");
  }
  const pid_t child = fork();
  if (child < 0) {
    throw_errno(errno, "vimgmount", "fork");
  }
  if (child > 0) {
    close(ends[1]);
    return await_report(ends[0], child);
  }
  close(ends[0]);
  int report_end = ends[1];
  const int code = serve([&report_end] {
    leave_terminal();
    report(std::exchange(report_end, -1), 0);
  });
  if (report_end >= 0) {
    report(report_end, code);
  }
  std::fflush(nullptr);
  _exit(code);
}

}  // namespace vimg
