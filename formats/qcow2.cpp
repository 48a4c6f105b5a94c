// qcow2: QEMU's copy-on-write format, versions 2 and 3.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "formats/driver.h"
#include "formats/qcow2_check.h"
#include "formats/qcow2_create.h"
#include "formats/qcow2_disk.h"
#include "formats/qcow2_header.h"
#include "formats/qcow2_snapshots.h"
#include "formats/qcow2_stream.h"

namespace vimg::qcow2 {
namespace {

const char* yes_or_no(bool value) noexcept { return value ? "true" : "false"; }

// What `qemu-img info` shows, in its words and order.
std::vector<std::pair<std::string, std::string>> facts_of(const Header& header) {
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back("cluster size", std::to_string(header.cluster_size()));
  facts.emplace_back("compat", header.version == 2 ? "0.10" : "1.1");
  facts.emplace_back("compression type", header.compression == Compression::zstd ? "zstd" : "zlib");
  facts.emplace_back("refcount bits", std::to_string(1U << header.refcount_order));
  if (header.crypt_method != 0) {
    facts.emplace_back("encrypted", "true");
  }
  if (header.version == 3) {
    facts.emplace_back("lazy refcounts", yes_or_no(header.lazy_refcounts()));
    facts.emplace_back("dirty", yes_or_no(header.dirty()));
    facts.emplace_back("corrupt", yes_or_no(header.corrupt()));
    facts.emplace_back("extended l2", yes_or_no(header.extended_l2()));
  }
  if (header.external_data()) {
    facts.emplace_back("data file raw", yes_or_no(header.raw_data()));
  }
  if (header.bitmaps) {
    facts.emplace_back("bitmaps", std::to_string(header.bitmaps->count));
  }
  return facts;
}

ImageInfo info(const Disk& file) {
  const Header header = read_header(file);
  ImageInfo info;
  info.format = "qcow2";
  info.virtual_size = header.size;
  info.backing_file = header.backing_file;
  info.backing_format = header.backing_format;
  info.data_file = header.data_file;
  for (Snapshot& snapshot : read_snapshots(file, header)) {
    info.snapshots.push_back(std::move(snapshot.info));
  }
  info.facts = facts_of(header);
  return info;
}

}  // namespace
}  // namespace vimg::qcow2

namespace vimg {

extern const FormatDriver qcow2_driver;
const FormatDriver qcow2_driver{"qcow2",
                                "QEMU's copy-on-write images, versions 2 and 3",
                                qcow2::has_magic,
                                qcow2::open_disk,
                                qcow2::info,
                                qcow2::create,
                                qcow2::open_stream,
                                qcow2::check};

}  // namespace vimg
