#include "tests/guest/guest_image.h"

#include <filesystem>
#include <fstream>

namespace vimg::test {
namespace {

namespace fs = std::filesystem;

void write_tree(const fs::path& top, const GuestImage::Content& content) {
  fs::create_directories(top);
  for (const auto& [path, text] : content.files) {
    if (path.ends_with('/')) {
      fs::create_directories(top / path);
      continue;
    }
    fs::create_directories((top / path).parent_path());
    std::ofstream(top / path, std::ios::binary) << text;
  }
  for (const auto& [path, target] : content.links) {
    fs::create_directories((top / path).parent_path());
    fs::create_symlink(target, top / path);
  }
}

}  // namespace

GuestImage& GuestImage::add_ext4(const std::string& options, const Content& content) {
  const std::string tree = directory_ / ("tree" + std::to_string(count_ + 1));
  write_tree(tree, content);
  return add_made("mke2fs -q -F -t ext4 -b 1024 " + options + " -d " + tree + " $F");
}

GuestImage& GuestImage::add_made(const std::string& make) {
  const std::string file = partition_file(++count_);
  must_run("F=" + file + "; truncate -s " + std::to_string(partition_mib) + "M $F && " + make);
  return *this;
}

std::string GuestImage::build() {
  const std::string image = directory_ / "disk.raw";
  const std::string end = std::to_string(first_mib + count_ * partition_mib + 1);
  std::string script = "label: gpt\\nlabel-id: 11111111-2222-3333-4444-555555555555\\n";
  for (unsigned number = 1; number <= count_; ++number) {
    script += "size=" + std::to_string(partition_mib) + "MiB, name=part" + std::to_string(number) +
              ", uuid=AAAAAAAA-0000-0000-0000-00000000000" + std::to_string(number) + "\\n";
  }
  must_run("rm -f " + image + " && truncate -s " + end + "M " + image + " && printf '" + script +
           "' | sfdisk -q " + image);
  for (unsigned number = 1; number <= count_; ++number) {
    const std::string seek = std::to_string(first_mib + (number - 1) * partition_mib);
    must_run("dd if=" + partition_file(number) + " of=" + image + " bs=1M seek=" + seek +
             " conv=notrunc,sparse status=none");
  }
  return image;
}

std::string GuestImage::partition_file(unsigned number) const {
  return directory_ / ("partition" + std::to_string(number));
}

}  // namespace vimg::test
