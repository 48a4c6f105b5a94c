#include "formats/copy.h"

#include <algorithm>
#include <exception>
#include <future>
#include <vector>

#include "disk/checked.h"
#include "formats/copy_pieces.h"

namespace vimg {
namespace {

constexpr std::uint64_t piece_size = 1U << 20;
constexpr std::uint64_t granule = 4096;  // what is told apart as zeros or as equal

// Runs `copy_pieces` in every thread; what the first one that failed has thrown is thrown on.
template <typename Action>
void run_threads(unsigned count, CopyPieces& pieces, Action&& copy_pieces) {
  std::mutex mutex;
  std::exception_ptr failure;
  const auto guarded = [&] {
    try {
      copy_pieces();
    } catch (...) {
      const std::lock_guard lock(mutex);
      failure = failure ? failure : std::current_exception();
      pieces.abandon();
    }
  };
  {
    std::vector<std::future<void>> others;
    for (unsigned i = 1; i < count; ++i) {
      others.push_back(std::async(std::launch::async, guarded));
    }
    guarded();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

// One thread's view of a piece of the source, and of what lies beneath the target there.
class PieceBuffer {
 public:
  PieceBuffer(const Disk& from, const Disk* beneath, std::uint64_t size)
      : from_(from), beneath_(beneath), content_(size), old_(beneath != nullptr ? size : 0) {}

  void read(const CopyPieces::Piece& piece) {
    const Bytes content = Bytes(content_).first(piece.length);
    from_.read(piece.offset, content);
    if (beneath_ != nullptr) {
      read_padded(*beneath_, piece.offset, Bytes(old_).first(piece.length));
    }
  }

  ConstBytes content(std::uint64_t at, std::uint64_t length) const {
    return ConstBytes(content_).subspan(at, length);
  }
  // Whether the target has it already.
  bool is_there(std::uint64_t at, std::uint64_t length) const {
    return beneath_ == nullptr
               ? all_zero(content(at, length))
               : std::ranges::equal(content(at, length), ConstBytes(old_).subspan(at, length));
  }

 private:
  const Disk& from_;
  const Disk* const beneath_;
  std::vector<std::byte> content_;
  std::vector<std::byte> old_;
};

// Writes the granules of a piece that the target lacks, those that follow each other at once.
void write_piece(const CopyPieces::Piece& piece, const PieceBuffer& buffer, Disk& to) {
  for (std::uint64_t at = 0; at < piece.length;) {
    std::uint64_t end = at;
    bool is_there = false;
    while (end < piece.length && !is_there) {
      const std::uint64_t length = std::min(granule, piece.length - end);
      is_there = buffer.is_there(end, length);
      end += is_there ? 0 : length;
    }
    if (end > at) {
      to.write(piece.offset + at, buffer.content(at, end - at));
    }
    at = std::min(is_there ? end + granule : end, piece.length);
  }
}

struct EncodedBlock {
  std::uint64_t offset;
  std::vector<std::byte> content;
};

std::vector<EncodedBlock> encode_piece(const CopyPieces::Piece& piece, const PieceBuffer& buffer,
                                       const ImageStream& to) {
  std::vector<EncodedBlock> blocks;
  for (std::uint64_t at = 0; at < piece.length; at += to.block_size()) {
    const std::uint64_t length = std::min(to.block_size(), piece.length - at);
    if (!buffer.is_there(at, length)) {
      blocks.push_back({piece.offset + at, to.encode(buffer.content(at, length))});
    }
  }
  return blocks;
}

}  // namespace

void copy_disk(const Disk& from, Disk& to, const CopyOptions& options) {
  CopyPieces pieces(from, options, piece_size, granule);
  run_threads(options.threads, pieces, [&] {
    PieceBuffer buffer(from, options.beneath, piece_size);
    while (const auto piece = pieces.next()) {
      buffer.read(*piece);
      if (options.in_order) {
        pieces.wait_for_turn(*piece);
      }
      write_piece(*piece, buffer, to);
      pieces.done(*piece);
    }
  });
  // A disk of an odd length has been rounded up, and does not show there what lies beneath.
  if (options.beneath != nullptr && options.beneath->size() > from.size()) {
    to.write_zeros(from.size(), to.size() - from.size());
  }
}

void copy_disk(const Disk& from, ImageStream& to, const CopyOptions& options) {
  const std::uint64_t size = std::max(piece_size, to.block_size());
  CopyPieces pieces(from, options, size, to.block_size());
  run_threads(options.threads, pieces, [&] {
    PieceBuffer buffer(from, options.beneath, size);
    while (const auto piece = pieces.next()) {
      buffer.read(*piece);
      const std::vector<EncodedBlock> blocks = encode_piece(*piece, buffer, to);
      pieces.wait_for_turn(*piece);
      for (const EncodedBlock& block : blocks) {
        to.append(block.offset, block.content);
      }
      pieces.done(*piece);
    }
  });
}

}  // namespace vimg
