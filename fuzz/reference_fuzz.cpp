// The input is a name that an image gives to another file.  Whatever it is, only files below the
// image's directory are opened.
#include <unistd.h>

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "disk/error.h"
#include "sources/gate.h"

namespace {

using namespace vimg;
namespace fs = std::filesystem;

// images/{top,a,d/b,d/e/c} and links; outside of it x.  Removed at the end of the process.
class Tree {
 public:
  Tree() {
    std::string pattern = (fs::temp_directory_path() / "vimg-fuzz-XXXXXX").string();
    root_ = fs::canonical(mkdtemp(pattern.data()));
    fs::create_directories(root_ / "images/d/e");
    for (const char* const name : {"x", "images/a", "images/d/b", "images/d/e/c"}) {
      std::ofstream(root_ / name) << name;
    }
    fs::create_symlink("a", root_ / "images/l");
    fs::create_symlink("..", root_ / "images/u");
    fs::create_symlink("/", root_ / "images/r");
  }
  ~Tree() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  fs::path images() const { return root_ / "images"; }

 private:
  fs::path root_;
};

std::string path_of(int fd) {
  std::array<char, PATH_MAX> path{};
  const ssize_t length =
      readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path.data(), path.size());
  return {path.data(), std::size_t(length > 0 ? length : 0)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Tree tree;
  constexpr std::size_t max_input = 8192;
  if (size > max_input) {
    return -1;
  }
  const std::string_view name = text_of(std::as_bytes(std::span(data, size)));
  try {
    const GatedFile file = pass_gate(locate(tree.images() / "top"), name, {}, Access::read_only);
    if (!path_of(file.fd.get()).starts_with(tree.images().string() + "/")) {
      std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
