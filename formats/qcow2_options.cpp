#include "formats/qcow2_options.h"

#include <array>
#include <bit>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "disk/escape.h"

namespace vimg::qcow2 {
namespace {

constexpr std::uint64_t sector = 512;  // QEMU takes no image that ends within one

template <typename Value>
struct Choice {
  std::string_view name;
  Value value;
};

template <typename Value, std::size_t count>
Value take_choice(CreateOptions& options, std::string_view option,
                  const std::array<Choice<Value>, count>& choices) {
  const std::optional<std::string> given = options.take(option);
  if (!given) {
    return choices[0].value;
  }
  std::string names;
  for (const auto& [name, value] : choices) {
    if (*given == name) {
      return value;
    }
    names += names.empty() ? "" : ", ";
    names += name;
  }
  throw_error(EINVAL, layer,
              fmt::format("{} is one of {}, not {}", option, names, in_quotes(*given)));
}

std::uint32_t take_version(CreateOptions& options) {
  constexpr std::array<Choice<std::uint32_t>, 4> choices{
      {{"1.1", 3}, {"v3", 3}, {"0.10", 2}, {"v2", 2}}};
  return take_choice(options, "compat", choices);
}

// log2 of an option that is a power of two.
std::uint32_t take_power(CreateOptions& options, std::string_view name, std::uint64_t otherwise,
                         std::uint64_t least, std::uint64_t most) {
  const std::uint64_t value = options.take_size(name, otherwise);
  if (value < least || value > most || !std::has_single_bit(value)) {
    throw_error(
        EINVAL, layer,
        fmt::format("{} is a power of two from {} to {}, not {}", name, least, most, value));
  }
  return std::uint32_t(std::countr_zero(value));
}

void take_backing(NewImage& image, NewOptions& result) {
  result.backing_file = std::move(image.backing_file);
  result.backing_format = std::move(image.backing_format);
  if (auto file = image.options.take("backing_file")) {
    result.backing_file = *std::move(file);
  }
  if (auto format = image.options.take("backing_fmt")) {
    result.backing_format = *std::move(format);
  }
}

NewOptions take_all(NewImage image) {
  constexpr std::array<Choice<Compression>, 2> compressions{
      {{"zlib", Compression::deflate}, {"zstd", Compression::zstd}}};
  constexpr std::array<Choice<Preallocation>, 4> preallocations{
      {{"off", Preallocation::off},
       {"metadata", Preallocation::metadata},
       {"falloc", Preallocation::falloc},
       {"full", Preallocation::full}}};
  NewOptions result;
  CreateOptions& options = image.options;
  result.version = take_version(options);
  result.cluster_bits =
      take_power(options, "cluster_size", 65536, 1U << min_cluster_bits, 1U << max_cluster_bits);
  result.refcount_order = take_power(options, "refcount_bits", 16, 1, 64);
  result.extended_l2 = options.take_flag("extended_l2", false);
  result.lazy_refcounts = options.take_flag("lazy_refcounts", false);
  result.compression = take_choice(options, "compression_type", compressions);
  result.preallocation = take_choice(options, "preallocation", preallocations);
  take_backing(image, result);
  options.refuse_rest(layer);
  return result;
}

void require(bool condition, std::string_view message) {
  if (!condition) {
    throw_error(EINVAL, layer, message);
  }
}

void validate(const NewOptions& options) {
  const bool v3 = options.version == 3;
  require(v3 || options.refcount_order == 4, "refcount_bits other than 16 needs compat=1.1");
  require(v3 || !options.lazy_refcounts, "lazy_refcounts needs compat=1.1");
  require(v3 || !options.extended_l2, "extended_l2 needs compat=1.1");
  require(v3 || options.compression == Compression::deflate,
          "a compression_type other than zlib needs compat=1.1");
  require(!options.extended_l2 || options.cluster_bits >= min_extended_cluster_bits,
          "extended_l2 needs a cluster_size of at least 16384");
  require(options.backing_file.empty() || options.preallocation == Preallocation::off ||
              options.extended_l2,
          "preallocation with a backing file needs extended_l2");
  require(!options.backing_file.empty() || options.backing_format.empty(),
          "a backing format without a backing file");
  require(options.backing_file.size() <= max_backing_length,
          fmt::format("backing file name of {} bytes; at most {} are possible",
                      options.backing_file.size(), max_backing_length));
  require(options.backing_format.size() <= max_format_length,
          fmt::format("backing format name of {} bytes; at most {} are possible",
                      options.backing_format.size(), max_format_length));
}

void append(std::vector<std::byte>& out, ConstBytes data) {
  out.insert(out.end(), data.begin(), data.end());
}

void append_extension(std::vector<std::byte>& out, ExtensionType type, ConstBytes data) {
  append(out, bytes_of(ExtensionHeader{std::uint32_t(type), std::uint32_t(data.size())}));
  append(out, data);
  out.resize(round_up(out.size(), 8));
}

// Names for the bits that this code knows, as QEMU writes them, so that readers older than a bit
// can say what they lack.
std::vector<std::byte> feature_names() {
  struct Name {
    std::uint8_t type;  // 0 incompatible, 1 compatible, 2 autoclear
    std::uint8_t bit;
    std::string_view text;
  };
  constexpr std::array<Name, 8> names{{{0, 0, "dirty bit"},
                                       {0, 1, "corrupt bit"},
                                       {0, 2, "external data file"},
                                       {0, 3, "compression type"},
                                       {0, 4, "extended L2 entries"},
                                       {1, 0, "lazy refcounts"},
                                       {2, 0, "bitmaps"},
                                       {2, 1, "raw external data"}}};
  constexpr std::size_t entry_size = 48;
  std::vector<std::byte> table;
  for (const Name& name : names) {
    const std::size_t end = table.size() + entry_size;
    table.push_back(std::byte{name.type});
    table.push_back(std::byte{name.bit});
    append(table, bytes_of(name.text));
    table.resize(end);
  }
  return table;
}

RawHeader raw_header(const NewOptions& options, const TablePlaces& tables) {
  RawHeader header{};
  header.magic = magic;
  header.version = options.version;
  header.backing_length = std::uint32_t(options.backing_file.size());
  header.cluster_bits = options.cluster_bits;
  header.size = options.size;
  header.l1_count = std::uint32_t(options.l1_count());
  header.l1_offset = tables.l1;
  header.refcount_table_offset = tables.refcount_table;
  header.refcount_table_clusters = std::uint32_t(tables.refcount_table_clusters);
  header.incompatible_features =
      (options.extended_l2 ? incompatible_extended_l2 : 0) |
      (options.compression == Compression::zstd ? incompatible_compression : 0);
  header.compatible_features = options.lazy_refcounts ? compatible_lazy_refcounts : 0;
  header.refcount_order = options.refcount_order;
  header.header_length = sizeof(RawHeader);
  header.compression_type = options.compression == Compression::zstd ? 1 : 0;
  return header;
}

}  // namespace

std::uint64_t NewOptions::l1_count() const noexcept {
  const std::uint64_t per_table = cluster_size() / l2_entry_size() * cluster_size();
  return divide_up(size, per_table);
}

NewOptions new_options(NewImage image) {
  const std::uint64_t size = image.size;
  NewOptions options = take_all(std::move(image));
  validate(options);
  options.size = size;
  if (size > max_virtual_size - sector || options.l1_count() > max_l1_bytes / sizeof(be64)) {
    throw_error(EINVAL, layer,
                fmt::format("size {:#x} is beyond what clusters of {} bytes can map", size,
                            options.cluster_size()));
  }
  options.size = round_up(size, sector);
  return options;
}

// Where the clusters are too small for the names of the features those are left out, as QEMU does.
std::vector<std::byte> header_bytes(const NewOptions& options, const TablePlaces& tables) {
  std::vector<std::byte> extensions;
  if (!options.backing_format.empty()) {
    append_extension(extensions, ExtensionType::backing_format, bytes_of(options.backing_format));
  }
  const std::size_t header_length = options.version == 2 ? header_length_v2 : sizeof(RawHeader);
  const std::vector<std::byte> names = feature_names();
  const std::size_t needed =
      header_length + extensions.size() + 2 * sizeof(ExtensionHeader) + options.backing_file.size();
  if (options.version == 3 && needed + names.size() <= options.cluster_size()) {
    append_extension(extensions, ExtensionType::feature_names, names);
  }
  append_extension(extensions, ExtensionType::end, {});
  RawHeader header = raw_header(options, tables);
  if (!options.backing_file.empty()) {
    header.backing_offset = header_length + extensions.size();
  }
  std::vector<std::byte> bytes;
  append(bytes, bytes_of(header).first(header_length));
  append(bytes, extensions);
  append(bytes, bytes_of(options.backing_file));
  if (bytes.size() > options.cluster_size()) {
    throw_error(EINVAL, layer, "the backing file's name does not fit into one cluster");
  }
  return bytes;
}

}  // namespace vimg::qcow2
