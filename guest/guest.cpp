#include "guest/guest.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <functional>
#include <iterator>
#include <utility>

#include "disk/error.h"
#include "disk/overlay_disk.h"
#include "guest/assembly.h"
#include "guest/find.h"
#include "guest/open_filesystems.h"

namespace vimg {
namespace {

// Less than this and a chain of images thrashes.
constexpr std::uint64_t min_cache_bytes = 4U << 20;

ImageOptions image_options(const GuestOptions& options, std::size_t image_count) {
  ImageOptions result;
  result.format = options.format;
  result.access = options.write == WriteMode::in_place ? Access::read_write : Access::read_only;
  result.snapshot = options.snapshot;
  result.cache_bytes = std::max(options.cache_bytes / image_count, min_cache_bytes);
  result.allowed_directories = options.allowed_directories;
  result.locking = options.locking;
  return result;
}

std::vector<Image> open_path(const std::string& path, const GuestOptions& options,
                             const ImageOptions& how) {
  std::vector<Image> images;
  if (options.write == WriteMode::overlay) {
    images.push_back(open_with_overlay(path, options.overlay_path, how));
    return images;
  }
  images = open_images(path, how);
  if (options.write == WriteMode::scratch) {
    for (Image& image : images) {
      image.disk = make_scratch_overlay(image.disk);
    }
  }
  return images;
}

std::vector<Image> open_all(const std::vector<std::string>& paths, const GuestOptions& options) {
  if (paths.empty()) {
    throw_error(EINVAL, "guest", "no image was named");
  }
  if (options.write == WriteMode::overlay && paths.size() != 1) {
    throw_error(EINVAL, "guest", "an overlay takes the writes of one image only");
  }
  const ImageOptions how = image_options(options, paths.size());
  std::vector<Image> images;
  for (const std::string& path : paths) {
    std::ranges::move(open_path(path, options, how), std::back_inserter(images));
  }
  return images;
}

}  // namespace

struct Guest::Impl {
  Impl(Assembly parts, WriteMode mode)
      : assembly(std::move(parts)), write(mode), filesystems(assembly.volumes.size()) {}

  const Assembly assembly;
  const WriteMode write;
  OpenFileSystems filesystems;
};

std::shared_ptr<Guest> Guest::open(const std::vector<std::string>& paths,
                                   const GuestOptions& options) {
  Assembly assembly = assemble(open_all(paths, options));
  return std::shared_ptr<Guest>(
      new Guest(std::make_unique<Impl>(std::move(assembly), options.write)));
}

Guest::Guest(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Guest::~Guest() = default;

const std::vector<Image>& Guest::images() const noexcept { return impl_->assembly.images; }
const std::vector<Volume>& Guest::volumes() const noexcept { return impl_->assembly.volumes; }
const std::vector<VolumeGroup>& Guest::groups() const noexcept { return impl_->assembly.groups; }

std::vector<std::string> Guest::problems() const {
  std::vector<std::string> problems = impl_->assembly.problems;
  std::ranges::move(impl_->filesystems.warnings(), std::back_inserter(problems));
  return problems;
}

const Volume* Guest::find(std::string_view name) const {
  return only_volume(find_volumes(volumes(), groups(), name), name);
}

std::shared_ptr<FileSystem> Guest::open_filesystem(const Volume& volume,
                                                   const FileSystemOptions& options,
                                                   std::string_view type) {
  const std::vector<Volume>& all = volumes();
  if (std::less<>()(&volume, all.data()) || !std::less<>()(&volume, all.data() + all.size())) {
    throw_error(EINVAL, volume.name, "is a volume of another guest");
  }
  return impl_->filesystems.open(std::size_t(&volume - all.data()), volume, options, type);
}

bool Guest::writable() const noexcept { return impl_->write != WriteMode::none; }

void Guest::finish() {
  std::exception_ptr first_error = impl_->filesystems.finish();
  for (const Image& image : images()) {
    try {
      image.disk->flush();
    } catch (const Error&) {
      first_error = first_error ? first_error : std::current_exception();
    }
  }
  if (first_error) {
    std::rethrow_exception(first_error);
  }
}

}  // namespace vimg
