#include "fuse/lookup_counts.h"

namespace vimg {

void LookupCounts::add(InodeNumber inode) {
  Shard& place = shard(inode);
  const std::lock_guard lock(place.mutex);
  ++place.counts[inode];
}

bool LookupCounts::subtract(InodeNumber inode, std::uint64_t count) {
  Shard& place = shard(inode);
  const std::lock_guard lock(place.mutex);
  const auto found = place.counts.find(inode);
  if (found == place.counts.end()) {
    return false;
  }
  if (found->second > count) {
    found->second -= count;
    return false;
  }
  place.counts.erase(found);
  return true;
}

std::vector<InodeNumber> LookupCounts::drain() {
  std::vector<InodeNumber> inodes;
  for (Shard& place : shards_) {
    const std::lock_guard lock(place.mutex);
    for (const auto& [inode, count] : place.counts) {
      inodes.push_back(inode);
    }
    place.counts.clear();
  }
  return inodes;
}

}  // namespace vimg
