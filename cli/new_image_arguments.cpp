#include "cli/new_image_arguments.h"

#include <cerrno>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "disk/error.h"
#include "disk/escape.h"

namespace vimg {

void NewImageArguments::declare(CLI::App& command) {
  command.add_option("-o,--options", options, "NAME=VALUE,... as qemu-img has them")
      ->type_name("OPTIONS");
  command
      .add_option("-b,-B,--backing", backing_file,
                  "The new image holds only what differs from BACKING")
      ->type_name("BACKING");
  command.add_option("-F,--backing-format", backing_format, "The format of BACKING")
      ->type_name("FORMAT");
  command.add_flag("--force", force, "Replace a file that exists");
}

const FormatDriver& NewImageArguments::driver() const {
  const FormatDriver* const found = find_format(format);
  if (found == nullptr) {
    throw_error(EINVAL, "image", fmt::format("there is no format {}", in_quotes(format)));
  }
  return *found;
}

NewImage NewImageArguments::image() const {
  if (backing_file.empty() != backing_format.empty()) {
    throw_error(EINVAL, "image",
                "a backing file and its format (-F) are given both or not at all; nothing is "
                "guessed");
  }
  NewImage image;
  image.backing_file = backing_file;
  image.backing_format = backing_format;
  image.options = CreateOptions(options);
  return image;
}

DiskPtr NewImageArguments::open_backing() const {
  if (backing_file.empty()) {
    return nullptr;
  }
  ImageOptions reading;
  reading.format = backing_format;
  return open_image(backing_path(path, backing_file), reading).disk;
}

}  // namespace vimg
