#include "formats/chain.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "disk/error.h"
#include "disk/escape.h"
#include "sources/gate.h"
#include "sources/host_disk.h"

namespace vimg {

namespace {

constexpr char layer[] = "image";
constexpr unsigned max_depth = 200;  // QEMU's limit on backing chains

const FormatDriver& declared_format(std::string_view format) {
  if (format.empty()) {
    return raw_driver;
  }
  const FormatDriver* const driver = find_format(format);
  if (driver == nullptr) {
    throw_unsupported(
        layer, fmt::format("the backing file's format {} is not supported", in_quotes(format)));
  }
  return *driver;
}

// The file that `name` is for an image at `from`, followed as the user's own names are.
FileIdentity named_file(const HostLocation& from, std::string_view name) {
  const std::filesystem::path path =
      std::filesystem::path(from.directory) / checked_reference_name(name);
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    throw_errno(errno, layer, fmt::format("backing file {} cannot be opened", in_quotes(name)));
  }
  return {status.st_dev, status.st_ino};
}

}  // namespace

// One image of a chain, as its driver sees the rest.
class ChainLink final : public OpenContext {
 public:
  ChainLink(Chain& chain, const ImageFile& file, const ChainLink* above, std::uint64_t cache_bytes)
      : chain_(chain),
        location_(file.location),
        file_name_(std::filesystem::path(location_.path).filename().string()),
        identity_(file.identity),
        above_(above),
        depth_(above != nullptr ? above->depth_ + 1 : 1),
        cache_bytes_(cache_bytes) {}

  Access access() const override {
    return above_ == nullptr ? chain_.options_.access : Access::read_only;
  }
  const std::string& snapshot() const override {
    static const std::string current;
    return above_ == nullptr ? chain_.options_.snapshot : current;
  }
  std::uint64_t cache_bytes() const override { return cache_bytes_; }
  const std::string& file_name() const override { return file_name_; }
  std::vector<std::string> file_names(std::string_view prefix) const override {
    return names_beside(location_, prefix);
  }

  DiskPtr open_file(std::string_view name) override { return open(name, access()).disk; }
  DiskPtr peek_file(std::string_view name) override {
    GatedFile file =
        pass_gate(location_, name, chain_.options_.allowed_directories, Access::read_only);
    return make_host_disk(std::move(file.fd), file.location.path, Access::read_only);
  }
  DiskPtr open_image(std::string_view name, std::string_view format) override;
  void warn(const std::string& message) override {
    chain_.add_warning(fmt::format("{}: {}", printable(location_.path), message));
  }

 private:
  ImageFile open(std::string_view name, Access access);
  ImageFile open_named_backing(std::string_view name, std::string_view format);
  ImageFile adopt(FileDescriptor fd, HostLocation location, Access access);
  void refuse_loop(const FileIdentity& identity, std::string_view name) const;
  void warn_if_undeclared(std::string_view name, std::string_view format, const Disk& file);

  Chain& chain_;
  const HostLocation location_;
  const std::string file_name_;
  const FileIdentity identity_;
  const ChainLink* const above_;  // the image that this one is the backing file of
  const unsigned depth_;          // 1 at the top
  const std::uint64_t cache_bytes_;
};

// The file at the top, as the source that it is of sees the rest.
class SourceLink final : public SourceContext {
 public:
  SourceLink(Chain& chain, const ImageFile& file)
      : link_(chain, file, nullptr, chain.options_.cache_bytes / 2) {}

  const std::string& file_name() const override { return link_.file_name(); }
  std::vector<std::string> file_names(std::string_view prefix) const override {
    return link_.file_names(prefix);
  }
  DiskPtr open_file(std::string_view name) override { return link_.open_file(name); }
  std::uint64_t cache_bytes() const override { return link_.cache_bytes(); }
  void warn(const std::string& message) override { link_.warn(message); }

 private:
  ChainLink link_;
};

DiskPtr ChainLink::open_image(std::string_view name, std::string_view format) {
  if (depth_ >= max_depth) {
    throw_error(ELOOP, layer, fmt::format("more than {} images in a chain", max_depth));
  }
  const FormatDriver& driver = declared_format(format);
  const bool is_named = above_ == nullptr && chain_.backing_.has_value();
  const ImageFile file =
      is_named ? open_named_backing(name, format) : open(name, Access::read_only);
  warn_if_undeclared(name, format, *file.disk);
  return chain_.decode(file, driver, this);
}

ImageFile ChainLink::open(std::string_view name, Access access) {
  GatedFile file = pass_gate(location_, name, chain_.options_.allowed_directories, access);
  // Before the locks, which would find another part of the same chain in the way.
  refuse_loop(file_identity(file.fd.get()), name);
  return adopt(std::move(file.fd), std::move(file.location), access);
}

ImageFile ChainLink::adopt(FileDescriptor fd, HostLocation location, Access access) {
  std::string warning;
  DiskPtr disk =
      adopt_file(std::move(fd), location.path, access, chain_.options_.locking, &warning);
  chain_.add_warning(warning);
  chain_.files_.push_back(location.path);
  const FileIdentity identity = file_identity(*disk);
  return {std::move(disk), std::move(location), identity};
}

ImageFile ChainLink::open_named_backing(std::string_view name, std::string_view format) {
  const NamedBacking& wanted = *chain_.backing_;
  ImageFile file = chain_.open_user_file(wanted.path, Access::read_only);
  if (named_file(location_, name) != file_identity(*file.disk)) {
    throw_error(
        EINVAL, layer,
        fmt::format("its backing file is {}, not {}", in_quotes(name), in_quotes(wanted.path)));
  }
  if (!wanted.format.empty() && wanted.format != format) {
    throw_error(EINVAL, layer,
                fmt::format("it says that its backing file is {}, not {}", in_quotes(format),
                            in_quotes(wanted.format)));
  }
  refuse_loop(file_identity(*file.disk), name);
  return file;
}

// A chain ends, as every image in it is another file.
void ChainLink::refuse_loop(const FileIdentity& identity, std::string_view name) const {
  for (const ChainLink* link = this; link != nullptr; link = link->above_) {
    if (link->identity_ == identity) {
      throw_error(ELOOP, layer,
                  fmt::format("{} is an image that refers to this one, or this one itself",
                              in_quotes(name)));
    }
  }
}

void ChainLink::warn_if_undeclared(std::string_view name, std::string_view format,
                                   const Disk& file) {
  if (!format.empty()) {
    return;
  }
  for (const std::string& claimed : claimed_formats(file)) {
    warn(
        fmt::format("does not say of what format its backing file {} is, so that is read as raw "
                    "although it looks like {}; qemu-img rebase -u -F {} says it",
                    in_quotes(name), claimed, claimed));
  }
}

Chain::Chain(const ImageOptions& options, std::optional<NamedBacking> backing)
    : options_(options), backing_(std::move(backing)), cache_left_(options.cache_bytes) {}

ImageFile Chain::open_top(const std::string& path) { return open_user_file(path, options_.access); }

ImageFile Chain::open_user_file(const std::string& path, Access access) {
  std::string warning;
  DiskPtr disk = open_host_file(path, access, options_.locking, &warning);
  add_warning(warning);
  files_.push_back(path);
  const FileIdentity identity = file_identity(*disk);
  return {std::move(disk), locate(path), identity};
}

std::vector<SourceImage> Chain::unwrap(const ImageFile& file, const SourceDriver& source) {
  return within(printable(file.location.path), [&] {
    if (options_.access == Access::read_write) {
      throw_error(EROFS, source.name,
                  fmt::format("an image that is {} cannot be written in place; --scratch takes "
                              "changes that are thrown away, and unpacked it can be written",
                              source.summary));
    }
    SourceLink link(*this, file);
    return source.open(file.disk, link);
  });
}

DiskPtr Chain::decode_top(const ImageFile& file, const FormatDriver& driver) {
  return decode(file, driver, nullptr);
}

CheckReport Chain::check_top(const ImageFile& file, const FormatDriver& driver, Repair repair) {
  ChainLink link(*this, file, nullptr, options_.cache_bytes);
  return driver.check(file.disk, link, repair);
}

DiskPtr Chain::decode(const ImageFile& file, const FormatDriver& driver, const ChainLink* above) {
  try {
    const std::uint64_t cache_bytes = take_cache_share(driver.info(*file.disk));
    ChainLink link(*this, file, above, cache_bytes);
    return driver.open(file.disk, link);
  } catch (const Error& error) {
    // Not within(): the message names the image that it is about, not the up to 200 above it.
    if (std::exchange(error_has_path_, true)) {
      throw;
    }
    throw Error(error.code(), fmt::format("{}: {}", printable(file.location.path), error.what()));
  }
}

// How long the chain is shows only at its end: each image takes half of what is left, the last one
// all of it.
std::uint64_t Chain::take_cache_share(const ImageInfo& info) {
  const std::uint64_t share = info.backing_file ? cache_left_ / 2 : cache_left_;
  cache_left_ -= share;
  return share;
}

void Chain::add_warning(const std::string& warning) {
  if (!warning.empty()) {
    warnings_.push_back(warning);
  }
}

}  // namespace vimg
