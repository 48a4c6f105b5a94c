// The names of partition types.
#pragma once

#include <cstdint>
#include <string_view>

namespace vimg {

// What a GPT type GUID, written in lower case, stands for; empty when unknown.
std::string_view gpt_type_name(std::string_view guid) noexcept;

// What an MBR type byte stands for; empty when unknown.
std::string_view mbr_type_name(std::uint8_t type) noexcept;

}  // namespace vimg
