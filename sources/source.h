// SourceDriver: where an image's bytes come from when it is not simply one file, and the list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "disk/disk.h"

namespace vimg {

// What a source is told when it is opened, and the only way to further files.
class SourceContext {
 public:
  virtual ~SourceContext() = default;

  // As OpenContext has them: the name without its directory; the names beside it that begin with
  // `prefix`, sorted; a file beside it, read-only, through the gate.
  virtual const std::string& file_name() const = 0;
  virtual std::vector<std::string> file_names(std::string_view prefix) const = 0;
  virtual DiskPtr open_file(std::string_view name) = 0;
  // How many bytes may be kept of what was decoded.
  virtual std::uint64_t cache_bytes() const = 0;
  virtual void warn(const std::string& message) = 0;
};

// One image in a source.
struct SourceImage {
  std::string name;         // of the member, or the file's name without the compression's ending
  DiskPtr bytes;            // read-only
  std::string format = {};  // a format driver's name, as the source declares it; empty: detect
};

struct SourceDriver {
  // Where the evidence lies.  What a name says is never held against what a format claims.
  enum class Evidence { content, name };

  const char* name;     // for --format
  const char* summary;  // one line
  Evidence evidence;
  // Reads little, throws only what read() throws.
  bool (*probe)(const Disk& file, std::string_view file_name);
  // The images in `file`, at least one, in the order of the source.  They keep `file` alive.
  // Throws Error as disk/error.h says.
  std::vector<SourceImage> (*open)(DiskPtr file, SourceContext& context);
};

std::span<const SourceDriver* const> source_drivers() noexcept;

// The source called `name`; nullptr when there is none.
const SourceDriver* find_source(std::string_view name) noexcept;

// The first source that takes `file` for its own; nullptr when it is simply a file.
const SourceDriver* detect_source(const Disk& file, std::string_view file_name);

// `name` without `ending`, when it ends with it and is more than that.
std::string name_without(std::string_view name, std::string_view ending);

}  // namespace vimg
