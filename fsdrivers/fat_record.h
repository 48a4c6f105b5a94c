// What the directories of FAT and exFAT hold, and what the two do differently.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fsdrivers/fat_names.h"
#include "fsdrivers/fat_table.h"

namespace vimg::fat {

// Where a file's record begins: an offset on the disk, in slots.  Its inode number, too.
using Place = std::uint64_t;

struct Record {
  std::uint16_t attributes = 0;
  std::uint32_t first_cluster = 0;  // 0: none
  bool contiguous = false;          // exFAT: the FAT is not asked for the other clusters
  std::uint64_t size = 0;           // of a directory of FAT: unknown
  std::uint64_t valid_size = 0;     // what lies beyond reads as zeros
  timespec atime{}, mtime{}, btime{};

  bool is_directory() const noexcept { return (attributes & attribute_directory) != 0; }
};

// A file in a directory.
struct Entry {
  std::string name;
  Place place = 0;
  std::uint32_t slot = 0;  // the first of its slots
  std::uint32_t slots = 0;
  std::uint32_t first_cluster = 0;
  bool is_directory = false;
  std::string alias;       // FAT: the short name, when it is not the name
  ShortName short_name{};  // FAT
};

struct Directory {
  std::vector<Run> runs;
  std::map<std::uint32_t, Entry> entries;                                // by slot
  std::unordered_multimap<std::u16string, std::uint32_t> slots_by_name;  // folded; aliases, too
  std::vector<bool> used;                                                // by slot
  std::uint32_t subdirectories = 0;
  std::uint32_t searched = 0;  // no slot before this one is free

  std::uint64_t offset_of(std::uint32_t slot) const noexcept;
};

// Slots as they lie in a directory, with what tells where the `i`-th is.
struct SlotBytes {
  std::vector<std::byte> bytes;
  const Directory& directory;
};

// Threads: as for FatTable.
class Dialect {
 public:
  Dialect() = default;
  Dialect(const Dialect&) = delete;
  Dialect& operator=(const Dialect&) = delete;
  virtual ~Dialect() = default;

  virtual std::uint64_t max_directory_bytes() const noexcept = 0;
  virtual Record root() const = 0;
  // Calls `add` for each file, and tells which slots are in use.
  virtual void parse(SlotBytes& slots, std::vector<bool>& used,
                     const std::function<void(Entry)>& add) const = 0;
  // Throws Error(ESTALE) when no file's record is there.
  virtual Record record_at(Place place) const = 0;
  virtual std::u16string fold(std::string_view name) const = 0;
  virtual std::uint32_t count_free(const FatTable& table) const = 0;
};

}  // namespace vimg::fat
