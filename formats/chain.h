// Chain: an image and the files that it refers to, opened one from within the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/driver.h"
#include "formats/image.h"
#include "sources/host_file.h"
#include "sources/source.h"

namespace vimg {

// A file that was opened, and is not decoded yet.
struct ImageFile {
  DiskPtr disk;
  HostLocation location;
  FileIdentity identity;  // of the file, which `disk` may be only a part or the content of
};

// The backing file that the user named himself, so that the gate has no say in it.
struct NamedBacking {
  std::string path;
  std::string format;  // what the image on top must declare; empty: anything
};

class ChainLink;

// What all images of one chain share while they are opened.  One thread only.
class Chain {
 public:
  // `options` must outlive it.  With `backing`, the image at the top must have that and no other.
  explicit Chain(const ImageOptions& options, std::optional<NamedBacking> backing = std::nullopt);

  // Opens the file that the user named.
  ImageFile open_top(const std::string& path);
  // The images that `source` finds in it; they are in the place of the file and read-only.
  std::vector<SourceImage> unwrap(const ImageFile& file, const SourceDriver& source);
  // Decodes it, and all that it refers to.  Errors begin with the path of the image they are about.
  DiskPtr decode_top(const ImageFile& file, const FormatDriver& driver);

  // What the driver's check, which it has, finds in it.
  CheckReport check_top(const ImageFile& file, const FormatDriver& driver, Repair repair);

  const std::vector<std::string>& files() const noexcept { return files_; }
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  friend class ChainLink;
  friend class SourceLink;

  ImageFile open_user_file(const std::string& path, Access access);
  DiskPtr decode(const ImageFile& file, const FormatDriver& driver, const ChainLink* above);
  std::uint64_t take_cache_share(const ImageInfo& info);
  void add_warning(const std::string& warning);

  const ImageOptions& options_;
  const std::optional<NamedBacking> backing_;
  std::uint64_t cache_left_;  // bytes that no image has been given yet
  bool error_has_path_ = false;
  std::vector<std::string> files_;
  std::vector<std::string> warnings_;
};

}  // namespace vimg
