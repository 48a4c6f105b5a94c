#include "tests/support/host.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace vimg::test {

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "vimg-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("mkdtemp failed");
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

CommandResult run(const std::string& command) {
  FILE* pipe = popen(("{ " + command + "\n} </dev/null 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    throw std::runtime_error("popen failed");
  }
  CommandResult result{0, {}};
  std::array<char, 4096> buffer{};
  while (const std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string must_run(const std::string& command) {
  CommandResult result = run(command);
  if (result.exit_code != 0) {
    throw std::runtime_error(command + ": exit " + std::to_string(result.exit_code) + ": " +
                             result.output);
  }
  return result.output;
}

bool have(const std::string& program) {
  return run("command -v " + program + " >/dev/null").exit_code == 0;
}

std::string unpack_image(const TemporaryDirectory& directory, const std::string& name) {
  const std::string target = directory / std::filesystem::path(name).filename().string();
  must_run("zstd -dqf --long=31 --sparse '" VIMG_TEST_IMAGES "/" + name + ".zst' -o '" + target +
           "'");
  return target;
}

std::vector<std::byte> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    throw std::runtime_error("cannot open " + path);
  }
  std::vector<std::byte> content(std::size_t(file.tellg()));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(content.data()), std::streamsize(content.size()));
  return content;
}

void write_file(const std::string& path, const std::vector<std::byte>& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(content.data()), std::streamsize(content.size()));
  if (!file.flush()) {
    throw std::runtime_error("cannot write " + path);
  }
}

}  // namespace vimg::test
