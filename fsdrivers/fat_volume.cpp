#include "fsdrivers/fat_volume.h"

#include <cerrno>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg::fat {
namespace {

// What is kept is dropped all at once when it gets more: 16 bytes each, and about 250.
constexpr std::size_t max_runs_kept = 1U << 20;
constexpr std::size_t max_entries_kept = 200'000;

std::uint64_t total_length(const std::vector<Run>& runs) {
  std::uint64_t total = 0;
  for (const Run& run : runs) {
    total += run.length;
  }
  return total;
}

}  // namespace

std::uint64_t Directory::offset_of(std::uint32_t slot) const noexcept {
  std::uint64_t left = std::uint64_t{slot} * slot_size;
  for (const Run& run : runs) {
    if (left < run.length) {
      return run.offset + left;
    }
    left -= run.length;
  }
  return 0;
}

Volume::Volume(DiskPtr disk, DiskPtr tables, const Geometry& geometry,
               std::unique_ptr<Dialect> dialect)
    : disk_(std::move(disk)),
      tables_(std::move(tables)),
      geometry_(geometry),
      dialect_(std::move(dialect)),
      table_(std::make_unique<FatTable>(tables_, geometry_)) {}

std::vector<Run> Volume::find_runs(const Record& record) const {
  const bool sized = !record.is_directory() || geometry_.kind == Kind::exfat;
  if (record.is_directory() && record.first_cluster == 0 && geometry_.root_length != 0) {
    return {{geometry_.root_offset, geometry_.root_length}};
  }
  std::uint64_t clusters = geometry_.cluster_count + std::uint64_t{1};
  if (sized && !(record.is_directory() && record.size == 0)) {
    clusters = divide_up(record.size, geometry_.cluster_size);
  }
  if (clusters == 0) {
    return {};
  }
  if (!record.contiguous) {
    return table_->chain(record.first_cluster, clusters);
  }
  if (!is_cluster(geometry_, record.first_cluster) ||
      clusters > geometry_.cluster_count - (record.first_cluster - first_data_cluster)) {
    throw_corrupt(geometry_.layer, fmt::format("{:#x} clusters from {:#x} on leave the volume",
                                               clusters, record.first_cluster));
  }
  return {{offset_of_cluster(geometry_, record.first_cluster), clusters * geometry_.cluster_size}};
}

RunsPtr Volume::runs(const Record& record) const {
  const std::uint64_t clusters = record.is_directory()
                                     ? std::numeric_limits<std::uint64_t>::max()
                                     : divide_up(record.size, geometry_.cluster_size);
  {
    const std::lock_guard lock(mutex_);
    const auto known = runs_.find(record.first_cluster);
    if (known != runs_.end() && known->second.clusters >= clusters) {
      return known->second.runs;
    }
  }
  auto runs = std::make_shared<const std::vector<Run>>(find_runs(record));
  const std::lock_guard lock(mutex_);
  if (runs_kept_ + runs->size() + 1 > max_runs_kept) {
    runs_.clear();
    runs_kept_ = 0;
  }
  runs_kept_ += runs->size() + 1;
  runs_[record.first_cluster] = {clusters, runs};
  return runs;
}

DirectoryPtr Volume::read_directory(const Record& record) const {
  auto directory = std::make_shared<Directory>();
  directory->runs = find_runs(record);
  const std::uint64_t length = total_length(directory->runs);
  if (length > dialect_->max_directory_bytes()) {
    throw_corrupt(geometry_.layer, fmt::format("a directory of {:#x} bytes", length));
  }
  SlotBytes slots{std::vector<std::byte>(std::size_t(length)), *directory};
  std::size_t at = 0;
  for (const Run& run : directory->runs) {
    tables_->read(run.offset, Bytes(slots.bytes).subspan(at, std::size_t(run.length)));
    at += std::size_t(run.length);
  }
  directory->used.assign(std::size_t(length) / slot_size, false);
  dialect_->parse(slots, directory->used,
                  [&](Entry entry) { add_entry(*directory, *dialect_, std::move(entry)); });
  return directory;
}

DirectoryPtr Volume::directory(const Record& record) const {
  if (!record.is_directory()) {
    throw_error(ENOTDIR, geometry_.layer, "not a directory");
  }
  {
    const std::lock_guard lock(mutex_);
    const auto known = directories_.find(record.first_cluster);
    if (known != directories_.end()) {
      return known->second;
    }
  }
  DirectoryPtr directory = read_directory(record);
  const std::lock_guard lock(mutex_);
  if (entries_kept_ + directory->used.size() > max_entries_kept) {
    directories_.clear();
    entries_kept_ = 0;
  }
  // Two threads may have read it at once: there must be one that is changed.
  const auto [known, is_new] = directories_.emplace(record.first_cluster, std::move(directory));
  entries_kept_ += is_new ? known->second->used.size() : 0;
  return known->second;
}

void Volume::forget_runs(std::uint32_t first_cluster) {
  const std::lock_guard lock(mutex_);
  runs_.erase(first_cluster);
}

void Volume::forget_directory(std::uint32_t first_cluster) {
  const std::lock_guard lock(mutex_);
  directories_.erase(first_cluster);
}

void add_entry(Directory& directory, const Dialect& dialect, Entry entry) {
  directory.slots_by_name.emplace(dialect.fold(entry.name), entry.slot);
  if (!entry.alias.empty()) {
    directory.slots_by_name.emplace(dialect.fold(entry.alias), entry.slot);
  }
  directory.subdirectories += entry.is_directory ? 1 : 0;
  directory.entries.insert_or_assign(entry.slot, std::move(entry));
}

void remove_entry(Directory& directory, const Dialect& dialect, std::uint32_t slot) {
  const auto found = directory.entries.find(slot);
  for (const std::string& name : {found->second.name, found->second.alias}) {
    const auto [first, last] = directory.slots_by_name.equal_range(dialect.fold(name));
    for (auto at = first; at != last; ++at) {
      if (at->second == slot) {
        directory.slots_by_name.erase(at);
        break;
      }
    }
  }
  directory.subdirectories -= found->second.is_directory ? 1 : 0;
  directory.entries.erase(found);
}

const Entry* find_entry(const Directory& directory, const Dialect& dialect, std::string_view name) {
  const std::size_t last = name.find_last_not_of('.');
  const std::string_view stripped =
      last == std::string_view::npos ? name : name.substr(0, last + 1);
  const Entry* result = nullptr;
  for (const std::string_view tried : {name, stripped}) {
    const auto [first, end] = directory.slots_by_name.equal_range(dialect.fold(tried));
    for (auto at = first; at != end; ++at) {
      const Entry& entry = directory.entries.at(at->second);
      if (entry.name == name) {
        return &entry;
      }
      result = result == nullptr ? &entry : result;
    }
  }
  return result;
}

}  // namespace vimg::fat
