#include "cli/image_arguments.h"

#include <CLI/CLI.hpp>

namespace vimg {

void ImageArguments::declare(CLI::App& command) {
  command.add_option("-f,--format", format, "Read every image as FORMAT, detect nothing")
      ->type_name("FORMAT");
  command.add_option("--snapshot", snapshot, "Show this internal snapshot, by name or ID")
      ->type_name("SNAPSHOT");
  command
      .add_option("--allow-refs", allowed_directories,
                  "Also follow references of images to files below DIR")
      ->type_name("DIR")
      ->expected(1)
      ->take_all();
}

ImageOptions ImageArguments::image_options() const {
  ImageOptions options;
  options.format = format;
  options.snapshot = snapshot;
  options.allowed_directories = allowed_directories;
  return options;
}

GuestOptions ImageArguments::guest_options() const {
  GuestOptions options;
  options.format = format;
  options.snapshot = snapshot;
  options.allowed_directories = allowed_directories;
  return options;
}

}  // namespace vimg
