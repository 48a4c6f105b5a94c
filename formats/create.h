// What is asked of a format when a new image is made.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "disk/bytes.h"

namespace vimg {

// The NAME=VALUE of -o, spelt as qemu-img spells them.  A driver takes those it knows and then
// refuses the rest, so that no option is ignored silently.
class CreateOptions {
 public:
  CreateOptions() = default;
  // "a=1,b=2".  Throws Error(EINVAL) for a name without a value or given twice.
  explicit CreateOptions(std::string_view text);

  std::optional<std::string> take(std::string_view name);
  // "on" or "off"; `otherwise` when it was not given.  Throws Error(EINVAL).
  bool take_flag(std::string_view name, bool otherwise);
  // A number of bytes with qemu-img's suffixes (k, M, G, T …).  Throws Error(EINVAL).
  std::uint64_t take_size(std::string_view name, std::uint64_t otherwise);
  // Throws Error(EINVAL) naming the first option that nobody took: "vdi: there is no option …".
  void refuse_rest(std::string_view layer) const;

 private:
  std::vector<std::pair<std::string, std::string>> options_;
};

struct NewImage {
  std::uint64_t size = 0;      // bytes, of the disk
  std::string backing_file;    // as the image shall name it; empty: none
  std::string backing_format;  // with backing_file
  bool compress = false;       // -c
  std::string file_name;       // of the new file, for formats that write it down; may be empty
  CreateOptions options;
};

// An image that is written from its front to its end, as compressed ones are.  Blocks that are all
// zeros are left out.
class ImageStream {
 public:
  virtual ~ImageStream() = default;
  // Bytes of the disk that are encoded at once; the disk's last block may be shorter.
  virtual std::uint64_t block_size() const noexcept = 0;
  // One block as it will be stored; pure, called from any thread, several at once.
  virtual std::vector<std::byte> encode(ConstBytes block) const = 0;
  // Adds an encoded block.  `offset`, on the disk, is larger than that of the call before.
  virtual void append(std::uint64_t offset, ConstBytes encoded) = 0;
  // Writes what belongs to the end and flushes.  The image is nothing before.
  virtual void finish() = 0;
};

// "64k", "1.5G", "512": bytes, as qemu-img reads sizes; nothing when it is not a size.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace vimg
