#include "fsdrivers/fat_dialect.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "disk/checked.h"
#include "disk/error.h"
#include "fsdrivers/fat_times.h"

namespace vimg::fat {
namespace {

// Collects the parts of a long name, which come in front of the short one, the last part first.
class LongName {
 public:
  void add(const LongRecord& record, std::uint32_t slot) {
    const std::uint32_t number = record.sequence & 0x3fU;
    if ((record.sequence & last_long_record) != 0) {
      start(record, slot, number);
    } else if (number == 0 || number + 1 != next_ || record.checksum != checksum_) {
      next_ = 0;
      return;
    }
    if (next_ == 0 && (record.sequence & last_long_record) == 0) {
      return;
    }
    next_ = number;
    take(record, (number - 1) * units_per_long_record);
  }
  void drop() { next_ = 0; }
  // True when all parts are there and belong to `name`.
  bool belongs_to(const ShortName& name) const {
    return next_ == 1 && checksum_ == checksum_of(name);
  }
  std::u16string_view units() const {
    const std::u16string_view all(units_);
    return all.substr(0, std::min(all.find(u'\0'), all.size()));
  }
  std::uint32_t first_slot() const { return first_slot_; }

 private:
  static constexpr std::uint32_t max_parts = 20;

  void start(const LongRecord& record, std::uint32_t slot, std::uint32_t number) {
    next_ = 0;
    if (number >= 1 && number <= max_parts) {
      next_ = number + 1;
      checksum_ = record.checksum;
      first_slot_ = slot;
      units_.assign(std::size_t{number} * units_per_long_record, u'\0');
    } else {
      units_.clear();
    }
  }
  void take(const LongRecord& record, std::size_t at) {
    const auto put = [&](const auto& part) {
      for (const le16 unit : part) {
        if (at < units_.size()) {
          units_[at++] = char16_t(unit.value());
        }
      }
    };
    put(record.name1);
    put(record.name2);
    put(record.name3);
  }

  std::u16string units_;
  std::uint32_t next_ = 0;  // the number of the part before; 0: none is being read
  std::uint32_t first_slot_ = 0;
  std::uint8_t checksum_ = 0;
};

bool is_dots(const ShortRecord& record) {
  const std::string_view name(record.name.data(), record.name.size());
  return name == ".          " || name == "..         ";
}

}  // namespace

FatDialect::FatDialect(DiskPtr tables, const Geometry& geometry)
    : tables_(std::move(tables)), geometry_(geometry) {}

Record FatDialect::root() const {
  Record record;
  record.attributes = attribute_directory;
  record.first_cluster = geometry_.root_cluster;
  return record;
}

std::uint32_t FatDialect::first_cluster_of(const ShortRecord& record) const noexcept {
  const std::uint32_t high = geometry_.kind == Kind::fat32 ? record.first_cluster_high.value() : 0U;
  return high << 16 | record.first_cluster_low;
}

void FatDialect::parse(SlotBytes& slots, std::vector<bool>& used,
                       const std::function<void(Entry)>& add) const {
  LongName long_name;
  for (std::uint32_t slot = 0; slot < used.size(); ++slot) {
    const auto record = load<ShortRecord>(slots.bytes, std::size_t{slot} * slot_size);
    const auto first = static_cast<unsigned char>(record.name[0]);
    if (first == slot_end) {
      return;
    }
    used[slot] = first != slot_deleted;
    if (first == slot_deleted) {
      long_name.drop();
    } else if ((record.attributes & attribute_long_name_mask) == attribute_long_name) {
      long_name.add(load<LongRecord>(slots.bytes, std::size_t{slot} * slot_size), slot);
    } else if ((record.attributes & attribute_volume) != 0 || is_dots(record)) {
      long_name.drop();
    } else {
      Entry entry;
      const bool is_long = long_name.belongs_to(record.name);
      entry.name = is_long ? shown_name(long_name.units()) : shown_name(record);
      entry.alias = is_long ? shown_name(record) : std::string();
      entry.short_name = record.name;
      entry.slot = is_long ? long_name.first_slot() : slot;
      entry.slots = slot - entry.slot + 1;
      entry.place = slots.directory.offset_of(slot) / slot_size;
      entry.first_cluster = first_cluster_of(record);
      entry.is_directory = (record.attributes & attribute_directory) != 0;
      add(std::move(entry));
      long_name.drop();
    }
  }
}

Record FatDialect::record_at(Place place) const {
  const std::uint64_t offset = place * slot_size;
  if (place > geometry_.end / slot_size || offset < geometry_.root_offset ||
      !fits(offset, slot_size, tables_->size())) {
    throw_error(ESTALE, "fat", fmt::format("no file has the number {}", place));
  }
  const auto stored = read_object<ShortRecord>(*tables_, offset);
  const auto first = static_cast<unsigned char>(stored.name[0]);
  if (first == slot_end || first == slot_deleted || (stored.attributes & attribute_volume) != 0) {
    throw_error(ESTALE, "fat", fmt::format("no file has the number {}", place));
  }
  Record record;
  record.attributes = stored.attributes;
  record.first_cluster = first_cluster_of(stored);
  record.size = record.valid_size = stored.size;
  record.atime = time_of(stored.accessed_date, 0, 0);
  record.mtime = time_of(stored.modified_date, stored.modified_time, 0);
  record.btime = time_of(stored.created_date, stored.created_time, stored.created_10ms);
  return record;
}

}  // namespace vimg::fat
