#include "formats/new_image.h"

#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"

namespace vimg {
namespace {

// What a driver is told about an image that was made a moment ago.
class NewImageContext final : public OpenContext {
 public:
  NewImageContext(const std::string& path, DiskPtr backing)
      : file_name_(std::filesystem::path(path).filename().string()), backing_(std::move(backing)) {}

  Access access() const override { return Access::read_write; }
  const std::string& snapshot() const override { return snapshot_; }
  std::uint64_t cache_bytes() const override { return 16U << 20; }
  const std::string& file_name() const override { return file_name_; }
  std::vector<std::string> file_names(std::string_view) const override { return {}; }
  DiskPtr open_file(std::string_view name) override {
    throw_unsupported("image", fmt::format("a new image refers to the file {}", in_quotes(name)));
  }
  DiskPtr peek_file(std::string_view name) override { return open_file(name); }
  // The user named it, and it was opened by what he said.
  DiskPtr open_image(std::string_view name, std::string_view) override {
    return backing_ ? backing_ : open_file(name);
  }
  void warn(const std::string&) override {}

 private:
  const std::string snapshot_;
  const std::string file_name_;
  const DiskPtr backing_;
};

}  // namespace

NewImageFile::NewImageFile(const std::string& path, const FormatDriver& format, Existing existing)
    : path_(path), format_(format), file_(path, existing, Locking::on) {}

void NewImageFile::create(NewImage image) {
  if (format_.create == nullptr) {
    throw_unsupported(format_.name, "images of this format cannot be made");
  }
  within(printable(path_), [&] { format_.create(*file_.disk(), std::move(image)); });
}

DiskPtr NewImageFile::open(DiskPtr backing) {
  NewImageContext context(path_, std::move(backing));
  return within(printable(path_), [&] { return format_.open(file_.disk(), context); });
}

std::unique_ptr<ImageStream> NewImageFile::stream(NewImage image) {
  if (format_.stream == nullptr) {
    return nullptr;
  }
  return within(printable(path_), [&] { return format_.stream(file_.disk(), std::move(image)); });
}

std::string backing_path(const std::string& path, const std::string& name) {
  return (std::filesystem::path(path).parent_path() / name).string();
}

}  // namespace vimg
