#include "fsdrivers/ext4_write_records.h"

#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/ext4_format.h"
#include "fsdrivers/ext4_superblock.h"

namespace vimg::ext4 {
namespace {

constexpr std::size_t header_size = sizeof(DirectoryRecord);
constexpr std::size_t huge_block = 65536;  // its length does not fit 16 bits

std::size_t decoded_length(std::size_t stored, std::size_t block_size) noexcept {
  if (block_size < huge_block) {
    return stored;
  }
  return stored == 0 || stored == huge_block - 1 ? block_size : stored;
}

std::uint16_t encoded_length(std::size_t length) noexcept {
  return std::uint16_t(std::min(length, huge_block - 1));
}

}  // namespace

std::size_t StoredRecord::used() const noexcept {
  return inode == 0 ? 0 : record_size(name.size());
}

std::size_t record_size(std::size_t name_length) noexcept {
  return std::size_t(round_up(header_size + name_length, 4));
}

std::uint8_t file_type_of(std::uint32_t mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 1;
    case S_IFDIR:
      return 2;
    case S_IFCHR:
      return 3;
    case S_IFBLK:
      return 4;
    case S_IFIFO:
      return 5;
    case S_IFSOCK:
      return 6;
    case S_IFLNK:
      return 7;
    default:
      return 0;
  }
}

StoredRecord record_at(const RecordFormat& format, ConstBytes area, std::size_t offset) {
  if (!fits(offset, header_size, area.size())) {
    throw_corrupt(layer, fmt::format("a directory record at {:#x} passes the end", offset));
  }
  const auto header = load<DirectoryRecord>(area, offset);
  const std::size_t length = decoded_length(header.length, format.block_size);
  const std::size_t name_length =
      header.name_length + (format.has_file_type ? 0U : header.file_type * 256U);
  if (length < record_size(1) || length % 4 != 0 || !fits(offset, length, area.size()) ||
      (header.inode != 0 && (header_size + name_length > length || name_length > 255))) {
    throw_corrupt(layer, fmt::format("a directory record at {:#x} of {} bytes with a name of {}",
                                     offset, length, name_length));
  }
  const std::size_t shown = header.inode == 0 ? 0 : name_length;
  return {offset, length, header.inode, format.has_file_type ? header.file_type : std::uint8_t(0),
          text_of(area.subspan(offset + header_size, shown))};
}

// Every record is at least 12 bytes long, so this ends.
std::optional<StoredRecord> find_record(const RecordFormat& format, ConstBytes area,
                                        const std::function<bool(const StoredRecord&)>& visit) {
  for (std::size_t offset = 0; offset < area.size();) {
    const StoredRecord record = record_at(format, area, offset);
    if (visit(record)) {
      return record;
    }
    offset += record.length;
  }
  return std::nullopt;
}

bool insert_record(const RecordFormat& format, Bytes area, const NewRecord& record) {
  const std::size_t needed = record_size(record.name.size());
  for (std::size_t offset = 0; offset < area.size();) {
    const StoredRecord found = record_at(format, area, offset);
    const std::size_t used = found.used();
    if (found.length >= used + needed) {
      if (used != 0) {
        set_record_length(format, area, offset, used);
      }
      put_record(format, area, offset + used, found.length - used, record);
      return true;
    }
    offset += found.length;
  }
  return false;
}

void put_record(const RecordFormat& format, Bytes area, std::size_t offset, std::size_t length,
                const NewRecord& record) {
  const std::size_t name_end = header_size + record.name.size();
  store(area, offset,
        DirectoryRecord{record.inode, encoded_length(length), std::uint8_t(record.name.size()),
                        format.has_file_type ? record.file_type : std::uint8_t(0)});
  const Bytes rest = area.subspan(offset + header_size, length - header_size);
  std::copy_n(bytes_of(record.name).begin(), record.name.size(), rest.begin());
  const std::size_t padding = std::min(length, std::size_t(round_up(name_end, 4))) - name_end;
  std::fill_n(rest.begin() + std::ptrdiff_t(record.name.size()), padding, std::byte(0));
}

void set_record_length(const RecordFormat&, Bytes area, std::size_t offset, std::size_t length) {
  store(area, offset + offsetof(DirectoryRecord, length), le16(encoded_length(length)));
}

void set_record_target(const RecordFormat& format, Bytes area, std::size_t offset,
                       std::uint32_t inode, std::uint8_t file_type) {
  store(area, offset, le32(inode));
  if (format.has_file_type) {
    area[offset + offsetof(DirectoryRecord, file_type)] = std::byte(file_type);
  }
}

void remove_record(const RecordFormat& format, Bytes area, std::size_t offset) {
  const StoredRecord removed = record_at(format, area, offset);
  const auto before = find_record(format, area, [&](const StoredRecord& record) {
    return record.offset + record.length >= removed.offset;
  });
  if (before && before->offset < removed.offset) {
    set_record_length(format, area, before->offset, before->length + removed.length);
  }
  // The name stays readable no longer than it must.
  std::fill_n(area.begin() + std::ptrdiff_t(offset), header_size + removed.name.size(),
              std::byte(0));
  if (!before || before->offset >= removed.offset) {
    set_record_length(format, area, offset, removed.length);
  }
}

}  // namespace vimg::ext4
