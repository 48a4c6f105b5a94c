// split: an image cut into name.001, name.002 … (or from .000 on), one after the other.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "sources/source.h"

namespace vimg {
namespace {

constexpr char layer[] = "split";

class JoinedDisk final : public Disk {
 public:
  explicit JoinedDisk(std::vector<DiskPtr> parts) : parts_(std::move(parts)) {
    for (const DiskPtr& part : parts_) {
      starts_.push_back(size_);
      size_ += part->size();  // at most 1000 files of at most 2^63 bytes on one host
    }
  }
  std::uint64_t size() const noexcept override { return size_; }

 private:
  // The last part that begins at `offset` or before it: never an empty one.
  std::size_t part_at(std::uint64_t offset) const noexcept {
    return std::size_t(std::ranges::upper_bound(starts_, offset) - starts_.begin()) - 1;
  }
  void do_read(std::uint64_t offset, Bytes out) const override {
    while (!out.empty()) {
      const std::size_t index = part_at(offset);
      const std::uint64_t skip = offset - starts_[index];
      const auto length = std::min<std::uint64_t>(out.size(), parts_[index]->size() - skip);
      parts_[index]->read(skip, out.first(length));
      out = out.subspan(length);
      offset += length;
    }
  }
  Extent do_extent(std::uint64_t offset, std::uint64_t max) const override {
    const std::size_t index = part_at(offset);
    return parts_[index]->extent(offset - starts_[index], max);
  }

  const std::vector<DiskPtr> parts_;
  std::vector<std::uint64_t> starts_;
  std::uint64_t size_ = 0;
};

bool is_first_part(std::string_view name) {
  return name.size() > 4 && (name.ends_with(".001") || name.ends_with(".000"));
}

bool is_part(std::string_view name, std::size_t stem) {
  return name.size() == stem + 3 &&
         std::ranges::all_of(name.substr(stem), [](char c) { return c >= '0' && c <= '9'; });
}

bool probe(const Disk&, std::string_view file_name) { return is_first_part(file_name); }

// The parts behind the first one, without a gap.
std::vector<std::string> later_parts(SourceContext& context) {
  const std::string stem(context.file_name(), 0, context.file_name().size() - 3);
  std::vector<std::string> names = context.file_names(stem);
  std::erase_if(names, [&](const std::string& name) {
    return !is_part(name, stem.size()) || name <= context.file_name();
  });
  const std::size_t first = context.file_name().back() == '0' ? 0 : 1;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string wanted = fmt::format("{}{:03}", stem, first + i + 1);
    if (names[i] != wanted) {
      throw_corrupt(layer, fmt::format("part {} is missing, although there is {}",
                                       in_quotes(wanted), in_quotes(names[i])));
    }
  }
  return names;
}

std::vector<SourceImage> open(DiskPtr file, SourceContext& context) {
  if (!is_first_part(context.file_name())) {
    throw_error(EINVAL, layer, "an image in parts is named by its first, .000 or .001");
  }
  std::vector<DiskPtr> parts{std::move(file)};
  for (const std::string& name : later_parts(context)) {
    parts.push_back(context.open_file(name));
  }
  return {{name_without(context.file_name(),
                        context.file_name().substr(context.file_name().size() - 4)),
           std::make_shared<JoinedDisk>(std::move(parts))}};
}

}  // namespace

extern const SourceDriver split_source;
const SourceDriver split_source{"split", "cut into .001, .002 …", SourceDriver::Evidence::name,
                                probe, open};

}  // namespace vimg
