// raw: the file is the disk.
#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "formats/driver.h"

namespace vimg {
namespace {

// Everything is raw when nothing else claims it, so there is nothing to probe for.
bool probe(const Disk&) { return false; }

DiskPtr open(DiskPtr file, OpenContext& context) {
  if (!context.snapshot().empty()) {
    throw_error(EINVAL, "raw", "has no internal snapshots");
  }
  return file;
}

ImageInfo info(const Disk& file) {
  ImageInfo info;
  info.format = "raw";
  info.virtual_size = file.size();
  return info;
}

void write_plain_zeros(Disk& file) {
  const std::vector<std::byte> zeros(1U << 20);
  for (std::uint64_t at = 0; at < file.size(); at += zeros.size()) {
    file.write(at,
               ConstBytes(zeros).first(std::min<std::uint64_t>(zeros.size(), file.size() - at)));
  }
}

void create(Disk& file, NewImage image) {
  const std::string preallocation = image.options.take("preallocation").value_or("off");
  image.options.refuse_rest("raw");
  if (!image.backing_file.empty()) {
    throw_error(EINVAL, "raw", "has no backing file");
  }
  file.resize(image.size);
  if (preallocation == "falloc") {
    file.write_zeros(0, image.size);
  } else if (preallocation == "full") {
    write_plain_zeros(file);
  } else if (preallocation != "off") {
    throw_error(
        EINVAL, "raw",
        fmt::format("preallocation is one of off, falloc, full, not {}", in_quotes(preallocation)));
  }
  file.flush();
}

}  // namespace

const FormatDriver raw_driver{"raw", "the bytes of the disk as they are", probe, open, info,
                              create};

}  // namespace vimg
