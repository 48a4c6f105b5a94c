// vimg info: what one image file says of itself, without a look at what is inside.
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/image_arguments.h"
#include "cli/messages.h"
#include "cli/size_text.h"
#include "cli/table.h"
#include "cli/verb.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "guest/describe.h"

namespace vimg {
namespace {

struct Arguments {
  ImageArguments image;
  std::string path;
  bool json = false;
};

// What the file's own header says, where what it refers to cannot be opened.
Image open_header(const Arguments& arguments) {
  Image image;
  image.path = arguments.path;
  image.files = {arguments.path};
  std::string warning;
  const DiskPtr file = open_host_file(arguments.path, Access::read_only, Locking::off, &warning);
  image.file_size = file->size();
  if (!warning.empty()) {
    image.warnings.push_back(warning);
  }
  const std::string& name = arguments.image.format;
  const FormatDriver* format = name.empty() ? &detect_format(*file) : find_format(name);
  if (format == nullptr) {
    throw_error(EINVAL, arguments.path, fmt::format("unknown format '{}'", name));
  }
  image.info = format->info(*file);
  return image;
}

// What the file takes on the host; nothing when the host does not say.
std::optional<std::uint64_t> allocated_bytes(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return std::nullopt;
  }
  return std::uint64_t(status.st_blocks) * 512;
}

void line(std::ostream& out, std::string_view name, std::string_view value) {
  out << printable(name) << ": " << printable(value) << '\n';
}

void optional_line(std::ostream& out, std::string_view name,
                   const std::optional<std::string>& value) {
  if (value) {
    line(out, name, *value);
  }
}

std::string clock_text(std::uint64_t nanoseconds) {
  const std::uint64_t milliseconds = nanoseconds / 1'000'000;
  const std::uint64_t seconds = milliseconds / 1000;
  return fmt::format("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60,
                     milliseconds % 1000);
}

// In UTC; the bare number where no calendar reaches.
std::string date_text(std::int64_t seconds) {
  constexpr std::int64_t year_9999 = 253402300799;
  if (seconds < 0 || seconds > year_9999) {
    return std::to_string(seconds);
  }
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::time_t(seconds)));
}

void print_snapshots(const ImageInfo& info, std::ostream& out) {
  if (info.snapshots.empty()) {
    return;
  }
  Table table({{"ID"}, {"NAME"}, {"VM SIZE", Align::right}, {"DATE (UTC)"}, {"VM CLOCK"}});
  for (const SnapshotInfo& snapshot : info.snapshots) {
    table.add({snapshot.id, snapshot.name, size_text(snapshot.vm_state_size),
               date_text(snapshot.date_sec), clock_text(snapshot.vm_clock_nsec)});
  }
  out << "snapshots:\n";
  table.print(out);
}

void print_text(const Image& image, std::ostream& out) {
  const auto size = [](std::uint64_t bytes) {
    return fmt::format("{} ({} bytes)", size_text(bytes), bytes);
  };
  line(out, "image", image.path);
  line(out, "format", image.info.format);
  line(out, "virtual size", size(image.info.virtual_size));
  line(out, "file size", size(image.file_size));
  if (const auto allocated = allocated_bytes(image.path)) {
    line(out, "disk size", size_text(*allocated));
  }
  optional_line(out, "backing file", image.info.backing_file);
  optional_line(out, "backing format", image.info.backing_format);
  optional_line(out, "data file", image.info.data_file);
  for (std::size_t depth = 1; depth < image.files.size(); ++depth) {
    line(out, "also opens", image.files[depth]);
  }
  for (const auto& [name, value] : image.info.facts) {
    line(out, name, value);
  }
  print_snapshots(image.info, out);
}

void print_json(const Image& image, std::ostream& out) {
  nlohmann::ordered_json result{{"schema", json_schema}};
  result.update(describe(image));
  if (const auto allocated = allocated_bytes(image.path)) {
    result["disk_size"] = *allocated;
  }
  out << result.dump(2) << '\n';
}

void print(const Image& image, const Arguments& arguments, const Streams& streams) {
  if (arguments.json) {
    print_json(image, streams.out);
  } else {
    print_text(image, streams.out);
  }
  for (const std::string& warning : image.warnings) {
    print_warning(streams, warning);
  }
}

// Prints what the header says when all else failed: the reason to ask may be just that the image
// does not open.
void print_header(const Arguments& arguments, const Streams& streams) {
  try {
    print(open_header(arguments), arguments, streams);
  } catch (const Error&) {
    // Then there is nothing to show but the reason why the image did not open.
  }
}

ExitCode info(const Arguments& arguments, const Streams& streams) {
  try {
    print(open_image(arguments.path, arguments.image.image_options()), arguments, streams);
    return ExitCode::ok;
  } catch (const Error&) {
    print_header(arguments, streams);
    throw;
  }
}

Verb::Action declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("IMAGE", arguments->path, "The image")->required();
  arguments->image.declare(command);
  command.add_flag("--json", arguments->json, "Print JSON, with \"schema\": 1");
  return [arguments](const Streams& streams) { return info(*arguments, streams); };
}

}  // namespace

extern const Verb info_verb;
const Verb info_verb{"info", "Show the format, the sizes and the snapshots of an image", declare};

}  // namespace vimg
