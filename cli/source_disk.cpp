#include "cli/source_disk.h"

#include <cerrno>

#include <fmt/format.h>

#include "cli/messages.h"
#include "disk/error.h"
#include "disk/escape.h"

namespace vimg {
namespace {

const Volume& readable_volume(const Guest& guest, const std::string& path,
                              const std::string& name) {
  const Volume* const volume = guest.find(name);
  if (volume == nullptr) {
    throw_error(
        EINVAL, printable(path),
        fmt::format("there is no volume {}, or several; vimg list shows them", in_quotes(name)));
  }
  if (!volume->disk) {
    throw_error(EIO, printable(path),
                fmt::format("volume {} cannot be read: {}", volume->name, volume->problem));
  }
  return *volume;
}

// The volume's disk, for as long as the guest lives that it belongs to.
Image open_volume(const std::string& path, const ImageArguments& arguments,
                  const std::string& name) {
  const std::shared_ptr<Guest> guest = Guest::open({path}, arguments.guest_options());
  const Volume& volume = readable_volume(*guest, path, name);
  Image image = guest->images()[volume.image];
  image.disk = DiskPtr(guest, volume.disk.get());
  return image;
}

}  // namespace

Image open_source(const std::string& path, const ImageArguments& arguments,
                  const std::string& volume, const Streams& streams) {
  Image image = volume.empty() ? open_image(path, arguments.image_options())
                               : open_volume(path, arguments, volume);
  for (const std::string& warning : image.warnings) {
    print_warning(streams, warning);
  }
  return image;
}

}  // namespace vimg
