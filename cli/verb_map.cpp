// vimg map: what of a disk is data, zeros or holes, and where in which file data lies.
#include <sys/stat.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/image_arguments.h"
#include "cli/source_disk.h"
#include "cli/verb.h"
#include "disk/escape.h"
#include "guest/describe.h"

namespace vimg {
namespace {

struct Arguments {
  ImageArguments image;
  std::string path;
  std::string volume;
  bool json = false;
};

struct MappedRun {
  std::uint64_t start;
  Extent extent;
};

bool continues(const MappedRun& run, const Extent& next) noexcept {
  return run.extent.kind == next.kind && run.extent.fd == next.fd &&
         (next.fd < 0 || run.extent.file_offset + run.extent.length == next.file_offset);
}

// What only takes space somewhere has no place worth telling.
Extent told(Extent extent) noexcept {
  if (extent.kind != Extent::Kind::data) {
    extent.fd = -1;
  }
  return extent;
}

// Calls print(run) for each run of bytes that are alike; holds one at a time.
template <typename Print>
void for_each_run(const Disk& disk, Print&& print) {
  MappedRun run{0, {0, Extent::Kind::data}};
  for (std::uint64_t at = 0; at < disk.size();) {
    const Extent next = told(disk.extent(at, disk.size() - at));
    if (run.extent.length > 0 && continues(run, next)) {
      run.extent.length += next.length;
    } else {
      if (run.extent.length > 0) {
        print(run);
      }
      run = {at, next};
    }
    at += next.length;
  }
  if (run.extent.length > 0) {
    print(run);
  }
}

// The name of the file behind a descriptor, among those that the image was opened from.
class FileNames {
 public:
  explicit FileNames(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
      struct stat status {};
      if (stat(path.c_str(), &status) == 0) {
        files_.push_back({{status.st_dev, status.st_ino}, path});
      }
    }
  }

  // Empty when it is none of them.
  const std::string& name(int fd) const {
    static const std::string none;
    const FileIdentity identity = file_identity(fd);
    for (const auto& [known, path] : files_) {
      if (known == identity) {
        return path;
      }
    }
    return none;
  }

 private:
  std::vector<std::pair<FileIdentity, std::string>> files_;
};

const char* kind_name(Extent::Kind kind) noexcept {
  switch (kind) {
    case Extent::Kind::data:
      return "data";
    case Extent::Kind::zero:
      return "zero";
    case Extent::Kind::hole:
      return "hole";
  }
  return "";
}

void print_text(const Image& image, std::ostream& out) {
  const FileNames names(image.files);
  out << fmt::format("{:<18} {:<18} {:<4} {:<18} {}\n", "OFFSET", "LENGTH", "KIND", "IN FILE AT",
                     "FILE");
  for_each_run(*image.disk, [&](const MappedRun& run) {
    std::string line = fmt::format("{:<#18x} {:<#18x} {}", run.start, run.extent.length,
                                   kind_name(run.extent.kind));
    if (run.extent.fd >= 0) {
      line +=
          fmt::format(" {:<#18x} {}", run.extent.file_offset, printable(names.name(run.extent.fd)));
    }
    out << line << '\n';
  });
}

// As qemu-img has the members, one run on a line; written as they are found, as there may be many.
void print_json(const Image& image, std::ostream& out) {
  const FileNames names(image.files);
  out << fmt::format("{{\"schema\": {}, \"size\": {}, \"extents\": [", json_schema,
                     image.disk->size());
  const char* separator = "\n";
  for_each_run(*image.disk, [&](const MappedRun& run) {
    nlohmann::ordered_json line{{"start", run.start},
                                {"length", run.extent.length},
                                {"present", run.extent.kind != Extent::Kind::hole},
                                {"zero", run.extent.kind != Extent::Kind::data},
                                {"data", run.extent.kind == Extent::Kind::data}};
    if (run.extent.fd >= 0) {
      line["offset"] = run.extent.file_offset;
      line["file"] = valid_utf8(names.name(run.extent.fd));
    }
    out << std::exchange(separator, ",\n") << line.dump();
  });
  out << "\n]}\n";
}

ExitCode map(const Arguments& arguments, const Streams& streams) {
  const Image image = open_source(arguments.path, arguments.image, arguments.volume, streams);
  if (arguments.json) {
    print_json(image, streams.out);
  } else {
    print_text(image, streams.out);
  }
  return ExitCode::ok;
}

Verb::Action declare(CLI::App& command) {
  const auto arguments = std::make_shared<Arguments>();
  command.add_option("IMAGE", arguments->path, "The image")->required();
  arguments->image.declare(command);
  command.add_option("--volume", arguments->volume, "Map this volume of the image only")
      ->type_name("VOLUME");
  command.add_flag("--json", arguments->json, "Print JSON, with \"schema\": 1");
  return [arguments](const Streams& streams) { return map(*arguments, streams); };
}

}  // namespace

extern const Verb map_verb;
const Verb map_verb{"map", "Show what of a disk is data, zeros and holes, and where it lies",
                    declare};

}  // namespace vimg
