#include "sources/source.h"

#include <algorithm>
#include <array>

namespace vimg {

extern const SourceDriver bzip2_source;
extern const SourceDriver gzip_source;
extern const SourceDriver split_source;
extern const SourceDriver xz_source;
extern const SourceDriver zstd_source;

namespace {

constexpr auto sources = std::to_array<const SourceDriver*>({
    &gzip_source,
    &xz_source,
    &zstd_source,
    &bzip2_source,
    &split_source,
});

}  // namespace

std::span<const SourceDriver* const> source_drivers() noexcept { return sources; }

const SourceDriver* find_source(std::string_view name) noexcept {
  const auto found =
      std::ranges::find_if(sources, [&](const SourceDriver* s) { return name == s->name; });
  return found == sources.end() ? nullptr : *found;
}

const SourceDriver* detect_source(const Disk& file, std::string_view file_name) {
  const auto found = std::ranges::find_if(
      sources, [&](const SourceDriver* s) { return s->probe(file, file_name); });
  return found == sources.end() ? nullptr : *found;
}

std::string name_without(std::string_view name, std::string_view ending) {
  const bool has_it = name.ends_with(ending) && name.size() > ending.size();
  return std::string(name.substr(0, name.size() - (has_it ? ending.size() : 0)));
}

}  // namespace vimg
