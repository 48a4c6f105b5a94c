// The order in which a qcow2 image's tables reach the disk, and what happens at the first write and
// at the end.
#include <algorithm>
#include <utility>

#include "disk/checked.h"
#include "formats/qcow2_repair.h"
#include "formats/qcow2_writer.h"

namespace vimg::qcow2 {

void Writer::begin() {
  if (begun_.load(std::memory_order_acquire)) {
    return;
  }
  const std::lock_guard lock(mutex_);
  if (!begun_) {
    prepare_header();
    note_tables();
    begun_.store(true, std::memory_order_release);
  }
}

// Spec: unknown autoclear bits are cleared before anything is written; the one for bitmaps, too, as
// they will not tell of what is written from here on.
void Writer::prepare_header() {
  if (header_.dirty()) {
    rebuild_refcounts(header_, *files_.file, refcounts_, space_);
    write_refcounts();
    files_.file->flush();
  }
  const std::uint64_t clean = header_.incompatible & ~incompatible_dirty;
  write_features(header_.lazy_refcounts() ? clean | incompatible_dirty : clean,
                 header_.autoclear & autoclear_raw_data);
}

// What a write must not touch.  Those of snapshots are looked after by their refcounts alone.
void Writer::note_tables() {
  metadata_.add(0, geometry_.cluster_size());
  metadata_.add(header_.l1_offset, header_.l1_count * sizeof(be64));
  metadata_.add(refcounts_.table_offset(), refcounts_.table_clusters() * geometry_.cluster_size());
  for (std::uint64_t region = 0; region < refcounts_.region_count(); ++region) {
    if (const std::uint64_t block = refcounts_.block(region)) {
      metadata_.add(block, geometry_.cluster_size());
    }
  }
  for (std::uint64_t index = 0; index < header_.l1_count; ++index) {
    if (const std::uint64_t table = map_.l1_entry(index) & offset_mask) {
      metadata_.add(table, geometry_.cluster_size());
    }
  }
}

void Writer::write_features(std::uint64_t incompatible, std::uint64_t autoclear) {
  if (incompatible == header_.incompatible && autoclear == header_.autoclear) {
    return;
  }
  files_.file->write(incompatible_field, bytes_of(be64(incompatible)));
  files_.file->write(autoclear_field, bytes_of(be64(autoclear)));
  files_.file->flush();
  header_.incompatible = incompatible;
  header_.autoclear = autoclear;
}

void Writer::flush() {
  if (!begun_.load(std::memory_order_acquire)) {
    return;
  }
  // Data first and outside the lock, so that it is held for little more than the tables.
  flush_files();
  const std::lock_guard lock(mutex_);
  if (anything_changed()) {
    write_back();
  }
}

bool Writer::anything_changed() const {
  return map_.tables_changed() || map_.l1_changed() || refcounts_.changed_bytes() > 0 ||
         refcounts_.table_changed() || !retired_.empty();
}

void Writer::flush_files() {
  if (geometry_.external_data()) {
    files_.data->flush();
  }
  files_.file->flush();
}

// Cut short anywhere, this leaves clusters that are counted and not used, never the reverse.
void Writer::write_back() {
  // The dirty bit says that refcounts may be missing; they are written when there are too many.
  if (!header_.lazy_refcounts() || refcounts_.changed_bytes() > max_changed_bytes_) {
    write_refcounts();
  }
  flush_files();
  const bool l1_changed = map_.l1_changed();
  if (map_.tables_changed()) {
    map_.write_back_tables();
    files_.file->flush();
  }
  if (l1_changed) {
    map_.write_back_l1();
    files_.file->flush();
  }
  reclaim();
  if (!header_.lazy_refcounts()) {
    refcounts_.write_blocks();
  }
}

// A new block is durable before the table tells of it, and the table before anything relies on it,
// which the caller's next flush sees to.
void Writer::write_refcounts() {
  refcounts_.write_blocks();
  if (refcounts_.table_changed()) {
    files_.file->flush();
    refcounts_.write_table();
    for (const HostRun& old : space_.take_retired()) {
      retired_.push_back({old.offset, old.count, epochs_.now(), no_compressed, false});
    }
  }
}

// Everything retired so far is out of the tables on disk; what readers may still hold waits for the
// next time.
void Writer::reclaim() {
  epochs_.advance();
  epochs_.advance();
  const std::uint64_t now = epochs_.now();
  const auto waiting =
      std::partition(retired_.begin(), retired_.end(),
                     [&](const Retired& retired) { return retired.epoch + 2 <= now; });
  const std::vector<Retired> unused(retired_.begin(), waiting);
  retired_.erase(retired_.begin(), waiting);
  for (const Retired& retired : unused) {
    release(retired);
  }
}

void Writer::release(const Retired& retired) {
  if (retired.compressed != no_compressed) {
    reader_.compressed().forget(retired.compressed);
  }
  const std::uint64_t cluster_size = geometry_.cluster_size();
  for (std::uint64_t i = 0; i < retired.count; ++i) {
    const std::uint64_t offset = retired.offset + i * cluster_size;
    const bool free = space_.release(offset);
    if (free) {
      metadata_.remove(offset, cluster_size);
    }
    if (free && retired.discard && fits(offset, cluster_size, files_.file->size())) {
      files_.file->discard(offset, cluster_size);
    }
  }
}

void Writer::limit_changes() {
  if (map_.changed_bytes() + refcounts_.changed_bytes() > 2 * max_changed_bytes_) {
    write_back();
  }
}

void Writer::close() {
  const std::lock_guard lock(mutex_);
  if (!begun_) {
    return;
  }
  write_back();
  write_refcounts();
  files_.file->flush();
  write_features(header_.incompatible & ~incompatible_dirty, header_.autoclear);
  space_.trim();
  files_.file->flush();
}

}  // namespace vimg::qcow2
