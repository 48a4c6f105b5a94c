// GuestImage: a small raw image with a GPT and ext4 file systems, made by sfdisk and mke2fs.
#pragma once

#include <map>
#include <string>

#include "tests/support/host.h"

namespace vimg::test {

class GuestImage {
 public:
  struct Content {
    std::map<std::string, std::string> files;  // a path that ends with "/" is a directory
    std::map<std::string, std::string> links;  // path to target
  };

  // The next partition: an ext4 made with `options` ("-L root -U …"), or what lies in the file
  // that the shell command `make` leaves at $F.
  GuestImage& add_ext4(const std::string& options, const Content& content);
  GuestImage& add_made(const std::string& make);

  // Writes the image and gives its path, good while this lives.
  std::string build();

 private:
  static constexpr unsigned first_mib = 1;
  static constexpr unsigned partition_mib = 8;

  std::string partition_file(unsigned number) const;

  TemporaryDirectory directory_;
  unsigned count_ = 0;
};

}  // namespace vimg::test
