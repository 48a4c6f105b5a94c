// The records of a directory in one area: a block without its checksum, or inline data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "disk/bytes.h"

namespace vimg::ext4 {

// How the file system writes records.
struct RecordFormat {
  std::size_t block_size;
  bool has_file_type;  // with incompat_filetype
};

struct StoredRecord {
  std::size_t offset;   // in the area
  std::size_t length;   // to the next record
  std::uint32_t inode;  // 0 = unused
  std::uint8_t file_type;
  std::string_view name;

  std::size_t used() const noexcept;  // what of `length` it needs
};

struct NewRecord {
  std::string_view name;
  std::uint32_t inode;
  std::uint8_t file_type;
};

// What a record with a name of that many bytes needs.
std::size_t record_size(std::size_t name_length) noexcept;
std::uint8_t file_type_of(std::uint32_t mode) noexcept;

// Throws Error(EUCLEAN) for a record that cannot be, before anything is done with it.
StoredRecord record_at(const RecordFormat& format, ConstBytes area, std::size_t offset);
// Visits all records, unused ones too, until `visit` returns true; returns that record.
std::optional<StoredRecord> find_record(const RecordFormat& format, ConstBytes area,
                                        const std::function<bool(const StoredRecord&)>& visit);

// False when there is no room.
bool insert_record(const RecordFormat& format, Bytes area, const NewRecord& record);
// Writes a record of `length` bytes, whatever was there.
void put_record(const RecordFormat& format, Bytes area, std::size_t offset, std::size_t length,
                const NewRecord& record);
void set_record_length(const RecordFormat& format, Bytes area, std::size_t offset,
                       std::size_t length);
void set_record_target(const RecordFormat& format, Bytes area, std::size_t offset,
                       std::uint32_t inode, std::uint8_t file_type);
// Gives the record's room to the one before it, or leaves it unused when it is the first.
void remove_record(const RecordFormat& format, Bytes area, std::size_t offset);

}  // namespace vimg::ext4
