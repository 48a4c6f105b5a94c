// CopyPieces: cuts a disk into the pieces that a copy has to look at, and keeps them in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>

#include "formats/copy.h"

namespace vimg {

// Threads: any.
class CopyPieces {
 public:
  struct Piece {
    std::uint64_t number;  // from 0
    std::uint64_t offset;
    std::uint64_t length;  // none crosses a multiple of the piece size
  };

  // `piece_size` and `granularity`, which offsets are multiples of, are powers of two.
  CopyPieces(const Disk& from, const CopyOptions& options, std::uint64_t piece_size,
             std::uint64_t granularity);

  // The next piece that may have to be copied; nothing at the end.
  // Throws Error(EINTR) once the copy was stopped or abandoned.
  std::optional<Piece> next();
  // Waits until every piece before this one is done().  Throws as next() does.
  void wait_for_turn(const Piece& piece);
  void done(const Piece& piece);
  // Lets every other thread throw soon.
  void abandon() noexcept;

 private:
  std::uint64_t skip(std::uint64_t offset) const;
  std::uint64_t data_end(std::uint64_t offset, std::uint64_t end) const;
  bool is_needless(std::uint64_t offset, std::uint64_t max, std::uint64_t& length) const;
  void check_stopped() const;

  const Disk& from_;
  const CopyOptions& options_;
  const std::uint64_t piece_size_;
  const std::uint64_t granularity_;
  std::mutex asking_mutex_;  // guards the two below, and is held while `from` is asked for extents
  std::uint64_t at_ = 0;
  std::uint64_t next_number_ = 0;
  std::mutex turn_mutex_;  // guards all below
  std::condition_variable turned_;
  std::uint64_t turn_ = 0;
  std::uint64_t progress_ = 0;
  bool abandoned_ = false;
};

}  // namespace vimg
