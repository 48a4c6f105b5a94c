// VolumeClaims: a volume is changed through its file system's tree or through its file, never both.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace vimg {

// Volumes are numbered as Guest::volumes() has them.  All members may be called from any thread.
class VolumeClaims {
 public:
  // overlaps[v]: the volumes that share bytes with volume v, itself included: a partition and its
  // disk, a logical volume and what it lies on.
  explicit VolumeClaims(std::vector<std::vector<std::size_t>> overlaps);

  // From now on the tree of the file system on `volume` may be changed.
  // Throws Error(EBUSY or ESTALE) as check_tree() does.
  void claim_tree(std::size_t volume);
  // Throws Error(EBUSY) while an overlapping volume's file is open for writing, and Error(ESTALE)
  // once one was written: the file system may be another one then, until the next mount.
  void check_tree(std::size_t volume) const;

  // The file of `volume` is opened for writing.  Throws Error(EBUSY) when an overlapping file
  // system's tree was claimed.
  void open_file(std::size_t volume);
  void close_file(std::size_t volume) noexcept;
  // The file of `volume`, which is open, is about to be written.
  void note_write(std::size_t volume) noexcept;

 private:
  struct State {
    std::atomic<std::uint32_t> open_files = 0;  // of the volumes that overlap
    std::atomic_flag overwritten;               // one of those was written
    std::atomic_flag written;                   // this one was, through its file
    std::atomic_flag tree_claimed;
  };

  const std::vector<std::vector<std::size_t>> overlaps_;
  std::vector<State> states_;
  std::mutex mutex_;  // makes a check and the claim that follows it one step
};

}  // namespace vimg
