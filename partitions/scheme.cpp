#include "partitions/scheme.h"

#include <array>
#include <cerrno>
#include <exception>

#include "disk/error.h"

namespace vimg {

extern const PartitionScheme gpt_scheme;
extern const PartitionScheme dos_scheme;

namespace {

constexpr std::array schemes{&gpt_scheme, &dos_scheme};

}  // namespace

std::span<const PartitionScheme* const> partition_schemes() noexcept { return schemes; }

std::optional<PartitionTable> read_partition_table(const Disk& disk) {
  std::exception_ptr first_error;
  for (const PartitionScheme* scheme : schemes) {
    try {
      if (auto table = scheme->read(disk)) {
        return table;
      }
    } catch (const Error& error) {
      if (error.code() != EUCLEAN) {
        throw;  // the host failed: what another scheme finds would be no answer
      }
      first_error = first_error ? first_error : std::current_exception();
    }
  }
  if (first_error) {
    std::rethrow_exception(first_error);
  }
  return std::nullopt;
}

}  // namespace vimg
