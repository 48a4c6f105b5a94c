#include "fsdrivers/fat_tree.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "disk/checked.h"
#include "disk/error.h"

namespace vimg {
namespace {

using fat::Entry;
using fat::Record;
using fat::Run;

constexpr std::size_t max_parents = 1U << 18;
constexpr std::uint32_t longest_name = 255 * 6;  // bytes, as the kernel says
// What list() calls the two that need not be on the disk; a slot's number comes after them.
constexpr std::uint64_t after_dot = 1;
constexpr std::uint64_t after_dots = 2;

// Reads from `offset` of what lies in `runs`, `out` being within.
void read_runs(const Disk& disk, const std::vector<Run>& runs, std::uint64_t offset, Bytes out,
               const char* layer) {
  for (const Run& run : runs) {
    if (out.empty()) {
      return;
    }
    if (offset >= run.length) {
      offset -= run.length;
      continue;
    }
    const auto part = std::size_t(std::min<std::uint64_t>(out.size(), run.length - offset));
    disk.read(run.offset + offset, out.first(part));
    out = out.subspan(part);
    offset = 0;
  }
  if (!out.empty()) {
    throw_corrupt(layer, "the chain of clusters ends before the file does");
  }
}

}  // namespace

FatTree::FatTree(std::unique_ptr<fat::Volume> volume, const OwnerOptions& owners,
                 FileSystemInfo info)
    : volume_(std::move(volume)), owners_(owners), info_(std::move(info)) {}

FatTree::~FatTree() = default;

void FatTree::set_writer(std::unique_ptr<WritableFileSystem> writer,
                         std::unique_ptr<Places> places) {
  writer_ = std::move(writer);
  places_ = std::move(places);
}

FileSystemStatistics FatTree::statistics() const {
  const std::shared_lock lock(changes_);
  std::optional<std::uint32_t> free;
  {
    const std::lock_guard guard(mutex_);
    free = free_count_;
  }
  if (!free) {
    free = volume_->dialect().count_free(volume_->table());
    const std::lock_guard guard(mutex_);
    free_count_ = free;
  }
  FileSystemStatistics result;
  result.block_size = volume_->geometry().cluster_size;
  result.blocks = volume_->geometry().cluster_count;
  result.blocks_free = result.blocks_available = *free;
  result.name_max = longest_name;
  return result;
}

void FatTree::forget_free_count() noexcept {
  const std::lock_guard guard(mutex_);
  free_count_.reset();
}

InodeNumber FatTree::number_at(fat::Place place) const {
  return places_ ? places_->number_at(place) : place;
}

Record FatTree::record_of(InodeNumber inode) const {
  if (inode == root_inode) {
    return volume_->dialect().root();
  }
  if (!places_) {
    return volume_->dialect().record_at(inode);
  }
  const Record* const nameless = places_->nameless(inode);
  return nameless != nullptr ? *nameless : volume_->dialect().record_at(places_->place_of(inode));
}

Attributes FatTree::attributes_of(InodeNumber inode, const Record& record) const {
  Attributes result;
  result.inode = inode;
  result.uid = owners_.uid;
  result.gid = owners_.gid;
  result.nlink = 1;
  result.size = record.size;
  result.block_size = volume_->geometry().cluster_size;
  result.atime = record.atime;
  result.mtime = result.ctime = record.mtime;
  result.btime = record.btime;
  if (record.is_directory()) {
    const fat::DirectoryPtr directory = volume_->directory(record);
    result.size = directory->used.size() * fat::slot_size;
    result.nlink = directory->subdirectories + 2;
    result.mode = S_IFDIR | (0777 & ~owners_.directory_mask);
  } else {
    const bool read_only = (record.attributes & fat::attribute_read_only) != 0;
    result.mode = S_IFREG | (0777 & ~owners_.file_mask & ~(read_only ? 0222U : 0U));
  }
  result.blocks = round_up(result.size, volume_->geometry().cluster_size) / 512;
  return result;
}

Attributes FatTree::attributes(InodeNumber inode) const {
  const std::shared_lock lock(changes_);
  return attributes_of(inode, record_of(inode));
}

// A record does not say which directory it is in, so that of a directory is kept when it is seen.
void FatTree::note_children(const fat::Directory& directory, InodeNumber inode) const {
  if (directory.subdirectories == 0) {
    return;
  }
  const std::lock_guard guard(mutex_);
  if (parents_.size() + directory.subdirectories > max_parents) {
    parents_.clear();
  }
  for (const auto& [slot, entry] : directory.entries) {
    if (entry.is_directory) {
      parents_[entry.first_cluster] = inode;
    }
  }
}

InodeNumber FatTree::parent_of(const Record& directory, InodeNumber inode) const {
  const std::lock_guard guard(mutex_);
  const auto found = parents_.find(directory.first_cluster);
  return found == parents_.end() || inode == root_inode ? root_inode : found->second;
}

std::optional<InodeNumber> FatTree::lookup(InodeNumber directory, std::string_view name) const {
  const std::shared_lock lock(changes_);
  const Record record = record_of(directory);
  const fat::DirectoryPtr content = volume_->directory(record);
  if (name == ".") {
    return directory;
  }
  if (name == "..") {
    return parent_of(record, directory);
  }
  const Entry* const entry = find_entry(*content, volume_->dialect(), name);
  if (entry == nullptr) {
    return std::nullopt;
  }
  return number_at(entry->place);
}

void FatTree::list(InodeNumber directory, std::uint64_t position,
                   const std::function<bool(const DirectoryEntry&)>& visit) const {
  const std::shared_lock lock(changes_);
  const Record record = record_of(directory);
  const fat::DirectoryPtr content = volume_->directory(record);
  if (position == 0) {
    note_children(*content, directory);
    if (!visit({".", directory, S_IFDIR, after_dot})) {
      return;
    }
  }
  if (position <= after_dot && !visit({"..", parent_of(record, directory), S_IFDIR, after_dots})) {
    return;
  }
  const std::uint64_t from = position <= after_dots ? 0 : position - after_dots;
  auto at = content->entries.begin();
  if (from != 0) {
    at = from > content->used.size() ? content->entries.end()
                                     : content->entries.lower_bound(std::uint32_t(from));
  }
  for (; at != content->entries.end(); ++at) {
    const Entry& entry = at->second;
    const mode_t type = entry.is_directory ? S_IFDIR : S_IFREG;
    if (!visit({entry.name, number_at(entry.place), type, at->first + after_dots + 1})) {
      return;
    }
  }
}

std::size_t FatTree::read(InodeNumber file, std::uint64_t offset, Bytes out) const {
  const std::shared_lock content(content_lock(file));
  Record record;
  fat::RunsPtr runs;
  {
    const std::shared_lock lock(changes_);
    record = record_of(file);
    if (record.is_directory()) {
      throw_error(EISDIR, volume_->geometry().layer, "a directory has no content to read");
    }
    if (offset >= record.size) {
      return 0;
    }
    runs = volume_->runs(record);
  }
  const auto wanted = std::size_t(std::min<std::uint64_t>(out.size(), record.size - offset));
  out = out.first(wanted);
  const std::uint64_t valid = std::max(std::min(record.valid_size, record.size), offset) - offset;
  const auto stored = std::size_t(std::min<std::uint64_t>(wanted, valid));
  read_runs(volume_->disk(), *runs, offset, out.first(stored), volume_->geometry().layer);
  std::ranges::fill(out.subspan(stored), std::byte{0});
  return wanted;
}

std::optional<std::uint64_t> FatTree::seek(InodeNumber file, std::uint64_t offset,
                                           SeekTarget target) const {
  const std::uint64_t size = attributes(file).size;
  if (offset >= size) {
    return std::nullopt;
  }
  return target == SeekTarget::data ? offset : size;
}

std::string FatTree::symlink_target(InodeNumber) const {
  throw_error(EINVAL, volume_->geometry().layer, "not a symbolic link");
}

std::vector<std::string> FatTree::xattr_names(InodeNumber) const { return {}; }

std::optional<std::vector<std::byte>> FatTree::xattr(InodeNumber, std::string_view) const {
  return std::nullopt;
}

}  // namespace vimg
