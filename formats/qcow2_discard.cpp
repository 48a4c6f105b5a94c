// Zeros and discards on a qcow2 image's disk: changes of the map without data.
#include <algorithm>
#include <array>

#include "disk/checked.h"
#include "formats/qcow2_writer.h"

namespace vimg::qcow2 {

void Writer::write_zeros(std::uint64_t offset, std::uint64_t length) {
  begin();
  const bool mappable = header_.version >= 3 || !files_.backing;
  const GuestRange all{offset, offset + length};
  if (header_.raw_data() || !mappable) {
    write_zero_data(all);
    return;
  }
  const GuestRange whole = whole_pieces(offset, length, geometry_.unit_size());
  if (whole.begin >= whole.end) {
    write_zero_data(all);
    return;
  }
  write_zero_data({all.begin, whole.begin});
  // Version 2 has no zero clusters, but one without a backing file that is not allocated is one.
  const auto refused =
      change_entries(whole, header_.version >= 3 ? &Writer::zero_entry : &Writer::discard_entry);
  for (const GuestRange& range : refused) {
    write_zero_data(range);
  }
  write_zero_data({whole.end, std::max(whole.end, all.end)});
}

// Version 2 cannot hide the backing file without data, so there the hint is ignored; a raw external
// data file has to stay as the disk reads.
void Writer::discard(std::uint64_t offset, std::uint64_t length) {
  if (header_.raw_data() || (header_.version < 3 && files_.backing)) {
    return;
  }
  begin();
  const GuestRange whole = whole_pieces(offset, length, geometry_.cluster_size());
  if (whole.begin >= whole.end) {
    return;
  }
  change_entries(whole, &Writer::discard_entry);
  if (geometry_.external_data() && whole.begin < files_.data->size()) {
    files_.data->discard(whole.begin, std::min(whole.end, files_.data->size()) - whole.begin);
  }
}

// The pieces that lie wholly in the range; the disk's last one ends with the disk.
Writer::GuestRange Writer::whole_pieces(std::uint64_t offset, std::uint64_t length,
                                        std::uint64_t piece) const {
  const std::uint64_t end = offset + length;
  return {round_up(offset, piece),
          end == header_.size ? round_up(end, piece) : round_down(end, piece)};
}

// Gives what could not be changed.
std::vector<Writer::GuestRange> Writer::change_entries(GuestRange range, ChangeEntry change) {
  std::vector<GuestRange> refused;
  while (range.begin < range.end) {
    const std::uint64_t zero = zero_length(range.begin, range.end - range.begin);
    if (zero > 0) {
      range.begin += zero;
      continue;
    }
    const std::uint64_t span = geometry_.slice_span();
    const std::uint64_t end = std::min(range.end, round_down(range.begin, span) + span);
    change_slice({range.begin, end}, change, refused);
    range.begin = end;
  }
  return refused;
}

void Writer::change_slice(GuestRange range, ChangeEntry change, std::vector<GuestRange>& refused) {
  const std::uint64_t cluster_size = geometry_.cluster_size();
  const std::uint64_t begin = round_down(range.begin, cluster_size);
  std::unique_lock lock(mutex_);
  wait_for(lock, {begin, round_up(range.end, cluster_size)});
  make_table_writable(begin);
  std::vector<Entry> before;
  std::vector<Entry> after;
  for (std::uint64_t at = begin; at < range.end; at += cluster_size) {
    const GuestRange part{std::max(at, range.begin), std::min(at + cluster_size, range.end)};
    before.push_back(sound_entry(at));
    after.push_back(before.back());
    if (!(this->*change)(after.back(), part)) {
      refused.push_back(part);
    }
  }
  map_.set_entries(begin, after);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].compressed() != after[i].compressed() ||
        before[i].host_offset() != after[i].host_offset()) {
      retire(before[i], Unused::discard);
    }
  }
  limit_changes();
}

// How much from `offset` reads as zeros and holds no data; 0 when there is something to change.
std::uint64_t Writer::zero_length(std::uint64_t offset, std::uint64_t max) const {
  const Mapping run = map_.find(offset, max);
  const bool nothing_behind = !files_.backing || offset >= files_.backing->size();
  const bool zero =
      run.kind == Mapping::Kind::zero || (run.kind == Mapping::Kind::unallocated && nothing_behind);
  return zero ? run.length : 0;
}

bool Writer::discard_entry(Entry& entry, GuestRange /*range*/) const {
  entry = {};
  if (files_.backing) {
    entry.word = geometry_.extended() ? 0 : entry_zero;
    entry.bitmap = geometry_.extended() ? bitmap_all_zero : 0;
  }
  return true;
}

// A host cluster of its own stays set aside.
bool Writer::zero_entry(Entry& entry, GuestRange range) const {
  if (geometry_.extended()) {
    return zero_subclusters(entry, range);
  }
  const bool own = geometry_.has_host_cluster(entry) && entry.copied();
  entry.word = own ? entry.word | entry_zero : entry_zero;
  return true;
}

bool Writer::zero_subclusters(Entry& entry, GuestRange range) const {
  const std::uint64_t mask = unit_mask(range);
  const bool whole = mask == bitmap_all_allocated;
  if (entry.compressed() && !whole) {
    return false;
  }
  if (whole && !entry.copied()) {
    entry.word = 0;
  }
  entry.bitmap = (entry.bitmap & ~mask) | mask << subclusters;
  return true;
}

void Writer::write_zero_data(GuestRange range) {
  static constexpr std::array<std::byte, 65536> zeros{};
  range.end = std::min(range.end, header_.size);
  while (range.begin < range.end) {
    const std::uint64_t length = range.end - range.begin;
    const Epochs::Guard inside(&epochs_);
    const Mapping run = map_.find(range.begin, length);
    std::uint64_t done = header_.raw_data() ? 0 : zero_length(range.begin, length);
    if (done == 0 && run.kind == Mapping::Kind::data && run.copied &&
        fits(run.host_offset, run.length, files_.data->size())) {
      check_no_table(run.host_offset, run.length);
      files_.data->write_zeros(run.host_offset, run.length);
      done = run.length;
    } else if (done == 0) {
      done = std::min<std::uint64_t>(length, zeros.size());
      write(range.begin, ConstBytes(zeros).first(done));
    }
    range.begin += done;
  }
}

}  // namespace vimg::qcow2
