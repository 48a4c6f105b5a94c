// The host for tests: a directory that goes away, commands, sample images unpacked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace vimg::test {

// A fresh directory, removed with everything in it at the end of the scope.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

struct CommandResult {
  int exit_code;       // 128 + signal when killed
  std::string output;  // stdout and stderr together
};

// Runs a shell command with stdin from /dev/null.
CommandResult run(const std::string& command);

// The same; anything but exit code 0 throws std::runtime_error with the output.  Returns the
// output.
std::string must_run(const std::string& command);

// True when `program` is on PATH.
bool have(const std::string& program);

// Unpacks tests/images/NAME.zst (a path such as "formats/qcow2-v3.qcow2") into `directory`; returns
// the unpacked file's path.
std::string unpack_image(const TemporaryDirectory& directory, const std::string& name);

std::vector<std::byte> read_file(const std::string& path);
void write_file(const std::string& path, const std::vector<std::byte>& content);

}  // namespace vimg::test
