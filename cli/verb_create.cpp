// vimg create: a new, empty image.
#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/new_image_arguments.h"
#include "cli/verb.h"
#include "disk/error.h"
#include "disk/escape.h"

namespace vimg {
namespace {

struct Arguments {
  NewImageArguments made;
  std::string size;
  bool unsafe = false;
};

std::optional<std::uint64_t> given_size(const Arguments& arguments) {
  if (arguments.size.empty()) {
    return std::nullopt;
  }
  const std::optional<std::uint64_t> size = parse_size(arguments.size);
  if (!size) {
    throw_error(EINVAL, "create", fmt::format("{} is not a size", in_quotes(arguments.size)));
  }
  return size;
}

// The size of the disk: what was said, else that of the backing file.
std::uint64_t disk_size(const Arguments& arguments) {
  const std::optional<std::uint64_t> size = given_size(arguments);
  const DiskPtr backing = arguments.unsafe ? nullptr : arguments.made.open_backing();
  if (!size && backing == nullptr) {
    throw_error(EINVAL, "create", "the size of the image is missing");
  }
  return size ? *size : backing->size();
}

ExitCode create(const Arguments& arguments) {
  NewImage image = arguments.made.image();
  image.size = disk_size(arguments);
  NewImageFile file(arguments.made.path, arguments.made.driver(), arguments.made.existing());
  file.create(std::move(image));
  file.finish(NewHostFile::Flush::yes);
  return ExitCode::ok;
}

Verb::Action declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->made.format = "raw";
  command.add_option("FILE", arguments->made.path, "The new image")->required();
  command.add_option("SIZE", arguments->size,
                     "Of its disk, with suffix k, M, G, T, P or E; by default that of the backing "
                     "file");
  command.add_option("-f,--format", arguments->made.format, "The format, by default raw")
      ->type_name("FORMAT");
  arguments->made.declare(command);
  command.add_flag("-u,--unsafe", arguments->unsafe, "Do not look at the backing file");
  return [arguments](const Streams&) { return create(*arguments); };
}

}  // namespace

extern const Verb create_verb;
const Verb create_verb{"create", "Make a new image", declare};

}  // namespace vimg
