#include "cli/verb.h"

#include <array>

namespace vimg {

extern const Verb convert_verb;
extern const Verb create_verb;
extern const Verb info_verb;
extern const Verb list_verb;
extern const Verb map_verb;

namespace {

constexpr std::array verb_list{&info_verb, &list_verb, &create_verb, &convert_verb, &map_verb};

}  // namespace

std::span<const Verb* const> verbs() noexcept { return verb_list; }

}  // namespace vimg
