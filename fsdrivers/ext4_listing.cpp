#include "fsdrivers/ext4_listing.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "disk/error.h"
#include "fsdrivers/ext4_htree.h"
#include "fsdrivers/ext4_lookup.h"
#include "fsdrivers/ext4_nokey.h"

namespace vimg::ext4 {
namespace {

using Visitor = std::function<bool(const DirectoryEntry&)>;

// A position in the order of hashes: 31 bits of the major hash, 19 of the minor, and 13 that tell
// apart names for which these are equal.  "." is at 1 and ".." at 2.
constexpr unsigned minor_bits = 19;
constexpr unsigned ordinal_bits = 13;
constexpr std::uint64_t dot_position = 1;
constexpr std::uint64_t dot_dot_position = 2;
constexpr std::uint64_t first_ordinal = 3;
constexpr std::uint64_t max_equal = (std::uint64_t{1} << ordinal_bits) - first_ordinal;

// Of entries that are sorted at once.
constexpr std::size_t max_batch = 16384;

std::uint64_t key_of(NameHash hash) noexcept {
  return std::uint64_t{hash.major >> 1} << minor_bits | hash.minor >> (32 - minor_bits);
}

std::uint32_t major_of(std::uint64_t key) noexcept { return std::uint32_t(key >> minor_bits << 1); }

struct Entry {
  std::uint64_t key;
  NameHash hash;
  std::string name;  // as stored
  std::uint32_t inode;
  std::uint8_t file_type;

  bool operator<(const Entry& other) const noexcept {
    return key != other.key ? key < other.key : name < other.name;
  }
};

mode_t type_of(std::uint8_t file_type) noexcept {
  constexpr std::array<mode_t, 8> types{0,       S_IFREG, S_IFDIR,  S_IFCHR,
                                        S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};
  return file_type < types.size() ? types[file_type] : 0;
}

bool is_dots(std::string_view name) noexcept { return name == "." || name == ".."; }

// What no path can name is not shown.
bool is_showable(std::string_view name) noexcept {
  return name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

bool show(const DirectoryReader& directory, const Record& record, NameHash hash, std::uint64_t next,
          const Visitor& visit) {
  if (directory.inode().has_flag(inode_encrypted) && !is_dots(record.name)) {
    const std::string name = nokey_name(hash, record.name);
    return visit({name, record.inode, type_of(record.file_type), next});
  }
  return !is_showable(record.name) ||
         visit({record.name, record.inode, type_of(record.file_type), next});
}

class HashListing {
 public:
  HashListing(const DirectoryReader& directory, std::uint64_t position, const Visitor& visit)
      : directory_(directory),
        visit_(visit),
        position_(position),
        hash_version_(directory.rules().default_version()) {}

  void run() {
    if (show_dots() && (!directory_.is_indexed() || !run_indexed())) {
      run_unindexed();
    }
  }

 private:
  bool show_dots();
  bool run_indexed();
  void run_unindexed();
  void collect_leaf(const IndexWalk& walk);
  NameHash hash_of(const Record& record) const;
  void add(const Record& record, std::uint64_t key, NameHash hash);
  std::uint64_t keep_lowest();
  bool show_batch();
  [[noreturn]] void throw_equal(std::uint64_t count) const;

  const DirectoryReader& directory_;
  const Visitor& visit_;
  std::uint64_t position_;  // after the last entry that was shown
  std::uint8_t hash_version_;
  std::vector<Entry> batch_;
};

bool HashListing::show_dots() {
  constexpr std::uint8_t is_directory = 2;
  if (position_ < dot_position) {
    position_ = dot_position;
    const Record dot{directory_.inode().number(), ".", is_directory, 0, 0, {}};
    if (!show(directory_, dot, {}, dot_position, visit_)) {
      return false;
    }
  }
  if (position_ < dot_dot_position) {
    position_ = dot_dot_position;
    if (const auto parent = find_entry(directory_, "..")) {
      const Record dots{std::uint32_t(*parent), "..", is_directory, 0, 0, {}};
      return show(directory_, dots, {}, dot_dot_position, visit_);
    }
  }
  return true;
}

NameHash HashListing::hash_of(const Record& record) const {
  return directory_.stores_hashes()
             ? record.hash
             : directory_.rules().hash(directory_.inode(), hash_version_, record.name);
}

// Adds what is not yet shown.
void HashListing::add(const Record& record, std::uint64_t key, NameHash hash) {
  if (!is_dots(record.name) && key >= position_ >> ordinal_bits) {
    batch_.push_back({key, hash, std::string(record.name), record.inode, record.file_type});
  }
}

// A name that does not belong into the leaf by its hash is shown all the same, with the first that
// does, though lookups will not find it: so does the kernel.
void HashListing::collect_leaf(const IndexWalk& walk) {
  const std::uint64_t index = walk.leaf();
  directory_.visit_block(*directory_.block(index), index, [&](const Record& record) {
    const NameHash hash = hash_of(record);
    const bool belongs = walk.holds(hash.major & ~std::uint32_t{1});
    add(record, key_of(belongs ? hash : NameHash{walk.first_hash(), 0}), hash);
    return true;
  });
}

// False when the index turned out to be broken: the rest is to be read without it.  Names of equal
// hash are sorted together, though they may fill several leaves.
bool HashListing::run_indexed() {
  IndexWalk walk(directory_);
  hash_version_ = walk.is_broken() ? hash_version_ : walk.hash_version();
  IndexWalk::Step step = walk.seek(major_of(position_ >> ordinal_bits));
  while (step == IndexWalk::Step::leaf) {
    collect_leaf(walk);
    if (batch_.size() > max_batch) {
      throw_equal(max_batch);
    }
    const bool complete = !walk.next_continues();
    if (complete && !show_batch()) {
      return true;
    }
    step = walk.advance();
  }
  return step == IndexWalk::Step::end;
}

// Keeps the lowest entries of the batch: those with keys below the one that is returned.
std::uint64_t HashListing::keep_lowest() {
  const auto middle = batch_.begin() + max_batch;
  std::nth_element(batch_.begin(), middle, batch_.end());
  const std::uint64_t bound = middle->key;
  const auto is_late = [&](const Entry& entry) { return entry.key >= bound; };
  batch_.erase(std::remove_if(batch_.begin(), batch_.end(), is_late), batch_.end());
  return bound;
}

// Reads all records for each batch, so memory is bounded whatever the directory's size.  Each round
// shows at least one entry or is the last.
void HashListing::run_unindexed() {
  std::uint64_t bound = 0;  // keys from here on wait for the next round
  do {
    batch_.clear();
    bound = UINT64_MAX;
    directory_.visit_all([&](const Record& record) {
      const NameHash hash = hash_of(record);
      add(record, key_of(hash), hash);
      if (!batch_.empty() && batch_.back().key >= bound) {
        batch_.pop_back();
      }
      if (batch_.size() >= 2 * max_batch) {
        bound = keep_lowest();
      }
      return true;
    });
    if (batch_.empty() && bound != UINT64_MAX) {
      throw_equal(max_batch);
    }
  } while (show_batch() && bound != UINT64_MAX);
}

void HashListing::throw_equal(std::uint64_t count) const {
  throw_corrupt(layer, fmt::format("directory {}: more than {} names of one hash",
                                   directory_.inode().number(), count));
}

bool HashListing::show_batch() {
  std::sort(batch_.begin(), batch_.end());
  std::uint64_t ordinal = 0;
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    const Entry& entry = batch_[i];
    ordinal = i > 0 && batch_[i - 1].key == entry.key ? ordinal + 1 : 0;
    if (ordinal >= max_equal) {
      throw_equal(max_equal);
    }
    const std::uint64_t next = (entry.key << ordinal_bits) + first_ordinal + ordinal;
    if (next <= position_) {
      continue;
    }
    position_ = next;
    const Record record{entry.inode, entry.name, entry.file_type, 0, 0, {}};
    if (!show(directory_, record, entry.hash, next, visit_)) {
      return false;
    }
  }
  batch_.clear();
  return true;
}

// Records are read from the start of a block, as one may have been merged with another since.
void list_by_offset(const DirectoryReader& directory, std::uint64_t position,
                    const Visitor& visit) {
  const auto show_record = [&](const Record& record) {
    return record.offset < position || show(directory, record, {}, record.next, visit);
  };
  if (directory.is_inline()) {
    directory.visit_inline(show_record);
    return;
  }
  std::uint64_t index = position >> directory.volume().geometry().block_bits;
  for (; index < directory.block_count(); ++index) {
    if (!directory.visit_block(*directory.block(index), index, show_record)) {
      return;
    }
  }
}

}  // namespace

void list_entries(const DirectoryReader& directory, std::uint64_t position, const Visitor& visit) {
  if (directory.is_hash_ordered()) {
    HashListing(directory, position, visit).run();
  } else {
    list_by_offset(directory, position, visit);
  }
}

}  // namespace vimg::ext4
