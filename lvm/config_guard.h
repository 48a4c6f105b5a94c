// The check that LVM's text metadata passes before libdevmapper's recursive parser sees it.
#pragma once

#include <cstddef>
#include <string_view>

namespace vimg {

// LVM's own default area holds less than 1 MiB; its largest, chosen with --metadatasize by sites
// with tens of thousands of volumes, some tens.
constexpr std::size_t max_metadata_bytes = 32U << 20;

// Throws Error(EUCLEAN) unless `text` is at most max_metadata_bytes long and what LVM writes:
// nested `name { … }` and `name = value` with balanced braces, at most 64 deep, terminated strings,
// no NUL, and no more settings and values than memory should pay for.
void check_metadata_text(std::string_view text);

}  // namespace vimg
