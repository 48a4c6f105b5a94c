// The header extensions of a qcow2 image.
#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "formats/qcow2_header.h"

namespace vimg::qcow2 {
namespace {

// Spec: "Feature name table".
struct RawFeatureName {
  std::uint8_t set;
  std::uint8_t bit;
  std::array<char, 46> name;  // padded with zeros
};
static_assert(sizeof(RawFeatureName) == 48 && OnDisk<RawFeatureName>);

// Spec: "Bitmaps extension".
struct RawBitmaps {
  be32 count;
  be32 reserved;
  be64 directory_length;  // bytes
  be64 directory_offset;
};
static_assert(sizeof(RawBitmaps) == 24 && OnDisk<RawBitmaps>);

constexpr std::uint32_t encryption_pointer_length = 16;

// One extension's data, which lies in the first cluster and so is bounded by it.
std::string read_data(const Disk& file, std::uint64_t offset, std::uint32_t length) {
  std::string data(length, '\0');
  file.read(offset, std::as_writable_bytes(std::span(data)));
  return data;
}

std::vector<FeatureName> parse_names(const std::string& data) {
  std::vector<FeatureName> names;
  for (std::size_t at = 0; data.size() - at >= sizeof(RawFeatureName);
       at += sizeof(RawFeatureName)) {
    const auto raw = load<RawFeatureName>(bytes_of(std::string_view(data)), at);
    if (raw.set <= 2 && raw.bit < 64) {
      const std::string_view text(raw.name.data(), raw.name.size());
      names.push_back(
          {FeatureName::Set(raw.set), raw.bit, std::string(text.substr(0, text.find('\0')))});
    }
  }
  return names;
}

void check_length(const char* what, std::uint64_t length, std::uint64_t least, std::uint64_t most) {
  if (length < least || length > most) {
    throw_corrupt(layer, fmt::format("{} extension of {} bytes, expected {} to {}", what, length,
                                     least, most));
  }
}

BitmapDirectory parse_bitmaps(const std::string& data) {
  check_length("bitmaps", data.size(), sizeof(RawBitmaps), sizeof(RawBitmaps));
  const auto raw = load<RawBitmaps>(bytes_of(std::string_view(data)));
  return {raw.count, raw.directory_length, raw.directory_offset};
}

class ExtensionReader {
 public:
  explicit ExtensionReader(Header& header) : header_(header) {}

  void take(ExtensionType type, const std::string& data) {
    switch (type) {
      case ExtensionType::backing_format:
        check_length("backing format", data.size(), 0, max_format_length);
        header_.backing_format = data;
        break;
      case ExtensionType::feature_names:
        names_ = parse_names(data);
        break;
      case ExtensionType::bitmaps:
        header_.bitmaps = parse_bitmaps(data);
        break;
      case ExtensionType::encryption:
        check_length("encryption header", data.size(), encryption_pointer_length,
                     encryption_pointer_length);
        header_.has_encryption_header = true;
        break;
      case ExtensionType::data_file:
        header_.data_file = data;
        break;
      default:
        // Unknown ones can be ignored; the area is never rewritten, so they stay.
        break;
    }
  }

  const std::vector<FeatureName>& names() const noexcept { return names_; }

 private:
  Header& header_;
  std::vector<FeatureName> names_;
};

}  // namespace

std::vector<FeatureName> read_extensions(const Disk& file, std::uint64_t end, Header& header) {
  ExtensionReader reader(header);
  const std::uint64_t limit = std::min(end, file.size());
  std::uint64_t offset = header.header_length;
  // Each round moves on by 8 bytes at least, so this ends within the first cluster.
  while (fits(offset, sizeof(ExtensionHeader), limit)) {
    const auto extension = read_object<ExtensionHeader>(file, offset);
    const auto type = ExtensionType(extension.type.value());
    if (type == ExtensionType::end) {
      break;
    }
    offset += sizeof(extension);
    const std::uint32_t length = extension.length;
    if (!fits(offset, length, limit)) {
      throw_corrupt(layer, fmt::format("header extension {:#x} at {:#x} (+{:#x}) lies beyond {:#x}",
                                       extension.type.value(), offset, length, limit));
    }
    reader.take(type, read_data(file, offset, length));
    offset = round_up(offset + length, 8);
  }
  return reader.names();
}

}  // namespace vimg::qcow2
