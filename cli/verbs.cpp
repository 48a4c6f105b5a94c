#include "cli/verb.h"

#include <array>

namespace vimg {

extern const Verb info_verb;
extern const Verb list_verb;

namespace {

constexpr std::array verb_list{&info_verb, &list_verb};

}  // namespace

std::span<const Verb* const> verbs() noexcept { return verb_list; }

}  // namespace vimg
