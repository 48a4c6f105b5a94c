#include "formats/image.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"
#include "formats/chain.h"
#include "formats/qcow2_create.h"

namespace vimg {
namespace {

namespace fs = std::filesystem;

constexpr char layer[] = "image";

const FormatDriver& chosen_format(const std::string& name, const Disk& file) {
  if (name.empty()) {
    return detect_format(file);
  }
  const FormatDriver* const driver = find_format(name);
  if (driver == nullptr) {
    throw_error(EINVAL, layer, fmt::format("there is no format {}", in_quotes(name)));
  }
  return *driver;
}

// What --format asks for.
struct Choice {
  const SourceDriver* source;  // nullptr: none
  std::string format;          // empty: detect
};

std::string file_name_of(const ImageFile& file) {
  return fs::path(file.location.path).filename().string();
}

// A disk image of Apple's may begin with a bzip2 or xz chunk, so it is never held for such a file;
// any other file that is a format and a source both was made to be.
const SourceDriver* detected_source(const ImageFile& file) {
  const SourceDriver* const source = detect_source(*file.disk, file_name_of(file));
  if (source == nullptr || source->evidence == SourceDriver::Evidence::name) {
    return source;
  }
  const std::vector<std::string> formats = claimed_formats(*file.disk);
  if (formats.empty()) {
    return source;
  }
  if (formats.front() == "dmg") {
    return nullptr;
  }
  throw_error(EACCES, layer,
              fmt::format("file is both {} and {}; say which with --format", source->name,
                          formats.front()));
}

Choice choice_for(const std::string& format, const ImageFile& file) {
  if (format.empty()) {
    return {detected_source(file), ""};
  }
  const std::size_t colon = format.find(':');
  if (const SourceDriver* const source = find_source(format.substr(0, colon))) {
    return {source, colon == std::string::npos ? "" : format.substr(colon + 1)};
  }
  return {nullptr, format};
}

Image open_file(const ImageFile& file, const std::string& format, const std::string& path,
                Chain& chain) {
  const auto [driver, info] = within(printable(path), [&] {
    const FormatDriver& chosen = chosen_format(format, *file.disk);
    return std::pair(&chosen, chosen.info(*file.disk));
  });
  Image image;
  image.disk = chain.decode_top(file, *driver);
  image.info = info;
  image.path = path;
  image.file_size = file.disk->size();
  image.files = chain.files();
  image.warnings = chain.warnings();
  return image;
}

Image open_chain(const std::string& path, const ImageOptions& options, Chain& chain) {
  return open_file(chain.open_top(path), options.format, path, chain);
}

// Each image has a chain of its own, from the file that all of them are in.
Image open_member(const ImageFile& file, const SourceDriver& source, const SourceImage& member,
                  const std::string& format, const ImageOptions& options) {
  Chain chain(options);
  const ImageFile inside{member.bytes, file.location, file.identity};
  Image image =
      open_file(inside, format.empty() ? member.format : format, file.location.path, chain);
  image.file_size = file.disk->size();
  image.is_unwrapped = true;
  image.info.facts.emplace(image.info.facts.begin(), "source",
                           fmt::format("{} ({})", source.name, member.name));
  return image;
}

std::vector<Image> open_members(const ImageFile& file, const Choice& choice,
                                const ImageOptions& options, Chain& chain) {
  const std::vector<SourceImage> members = chain.unwrap(file, *choice.source);
  ImageOptions each = options;
  each.cache_bytes = options.cache_bytes / 2 / members.size();
  std::vector<Image> images;
  images.reserve(members.size());
  for (const SourceImage& member : members) {
    images.push_back(open_member(file, *choice.source, member, choice.format, each));
  }
  std::vector<std::string>& files = images.front().files;
  files.insert(files.begin(), chain.files().begin(), chain.files().end());
  std::vector<std::string>& warnings = images.front().warnings;
  warnings.insert(warnings.begin(), chain.warnings().begin(), chain.warnings().end());
  return images;
}

fs::path canonical(const std::string& path) {
  std::error_code error;
  fs::path result = fs::canonical(path, error);
  if (error) {
    throw_errno(error.value(), printable(path), "cannot be found");
  }
  return result;
}

// `path` as an image at `overlay_path` should name it.
std::string backing_name(const std::string& path, const std::string& overlay_path) {
  const fs::path backing = canonical(path);
  const fs::path directory = canonical(locate(overlay_path).directory);
  const fs::path relative = backing.lexically_relative(directory);
  const bool is_beneath = !relative.empty() && *relative.begin() != "..";
  // A colon before the first slash would make a protocol of it.
  const bool is_plain = relative.string().find(':') == std::string::npos;
  return is_beneath && is_plain ? relative.string() : backing.string();
}

// A file that is removed again unless it gets finished.
class NewFile {
 public:
  NewFile(std::string path, Locking locking)
      : path_(std::move(path)), disk_(create_host_file(path_, locking)) {}
  ~NewFile() {
    if (!path_.empty()) {
      unlink(path_.c_str());
    }
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Disk& disk() noexcept { return *disk_; }
  void finish() noexcept { path_.clear(); }

 private:
  std::string path_;
  DiskPtr disk_;
};

void create_overlay(const std::string& path, const std::string& overlay_path,
                    const ImageOptions& options) {
  constexpr std::uint64_t sector = 512;  // QEMU takes no image that ends within one
  ImageOptions reading = options;
  reading.access = Access::read_only;
  const Image base = open_image(path, reading);
  if (base.is_unwrapped) {
    throw_unsupported(printable(path),
                      "an overlay cannot lie on an image in a source, as nobody could open it "
                      "again; --scratch takes changes that are thrown away");
  }
  NewFile file(overlay_path, options.locking);
  within(printable(overlay_path), [&] {
    create_qcow2_overlay(file.disk(), backing_name(path, overlay_path), base.info.format,
                         round_up(base.disk->size(), sector));
  });
  file.finish();
}

}  // namespace

std::vector<Image> open_images(const std::string& path, const ImageOptions& options) {
  Chain chain(options);
  const ImageFile file = chain.open_top(path);
  const Choice choice = within(printable(path), [&] { return choice_for(options.format, file); });
  if (choice.source != nullptr) {
    return open_members(file, choice, options, chain);
  }
  std::vector<Image> images;
  images.push_back(open_file(file, choice.format, path, chain));
  return images;
}

Image open_image(const std::string& path, const ImageOptions& options) {
  std::vector<Image> images = open_images(path, options);
  if (images.size() != 1) {
    throw_error(EINVAL, printable(path),
                fmt::format("holds {} disks, and one is asked for; a mount shows all of them as "
                            "disk0, disk1 and so on",
                            images.size()));
  }
  return std::move(images.front());
}

std::optional<CheckReport> check_image(const std::string& path, ImageOptions options,
                                       Repair repair) {
  options.access = repair == Repair::nothing ? Access::read_only : Access::read_write;
  Chain chain(options);
  const ImageFile file = chain.open_top(path);
  return within(printable(path), [&]() -> std::optional<CheckReport> {
    const FormatDriver& driver = chosen_format(options.format, *file.disk);
    if (driver.check == nullptr) {
      return std::nullopt;
    }
    return chain.check_top(file, driver, repair);
  });
}

Image open_with_overlay(const std::string& path, const std::string& overlay_path,
                        const ImageOptions& options) {
  if (!options.snapshot.empty()) {
    throw_error(EINVAL, printable(path), "an overlay cannot lie on an internal snapshot");
  }
  if (std::error_code error; !fs::exists(overlay_path, error)) {
    create_overlay(path, overlay_path, options);
  }
  ImageOptions writing = options;
  writing.access = Access::read_write;
  writing.format = "qcow2";
  Chain chain(writing, NamedBacking{path, options.format});
  Image image = open_chain(overlay_path, writing, chain);
  if (!image.info.backing_file) {
    throw_error(EINVAL, printable(overlay_path),
                fmt::format("image has no backing file, it should be {}", in_quotes(path)));
  }
  image.path = path;
  return image;
}

}  // namespace vimg
