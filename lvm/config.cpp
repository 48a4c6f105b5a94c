// All calls to libdevmapper are in here.
#include "lvm/config.h"

#include <mutex>

#include <fmt/format.h>
#include <libdevmapper.h>

#include "disk/error.h"
#include "lvm/config_guard.h"

namespace vimg {
namespace {

constexpr char layer[] = "lvm";

// libdevmapper would write what it thinks of a text to stderr.
extern "C" void log_nothing(int, const char*, int, int, const char*, ...) noexcept {}

void silence_library() {
  static std::once_flag once;
  std::call_once(once, [] { dm_log_with_errno_init(log_nothing); });
}

struct DestroyTree {
  void operator()(dm_config_tree* tree) const noexcept { dm_config_destroy(tree); }
};
using TreePtr = std::unique_ptr<dm_config_tree, DestroyTree>;

TreePtr parse(const std::string& text) {
  silence_library();
  check_metadata_text(text);
  TreePtr tree(dm_config_create());
  // The search for settings of the same name would take time quadratic in their number.
  if (!tree || dm_config_parse_without_dup_node_check(tree.get(), text.c_str(),
                                                      text.c_str() + text.size()) == 0) {
    throw_corrupt(layer, "metadata text: libdevmapper cannot parse it");
  }
  return tree;
}

std::optional<std::uint64_t> to_number(const dm_config_value& value) {
  if (value.type != DM_CFG_INT || value.v.i < 0) {
    return std::nullopt;
  }
  return std::uint64_t(value.v.i);
}

std::optional<ConfigValue> to_value(const dm_config_value& value) {
  if (value.type == DM_CFG_STRING) {
    return std::string(value.v.str);
  }
  const auto number = to_number(value);
  return number ? std::optional<ConfigValue>(*number) : std::nullopt;
}

}  // namespace

std::string_view Section::name() const noexcept { return node_->key; }

const dm_config_node* Section::find(std::string_view key) const noexcept {
  for (const dm_config_node* child = node_->child; child != nullptr; child = child->sib) {
    if (key == child->key) {
      return child;
    }
  }
  return nullptr;
}

void Section::throw_bad(std::string_view key, std::string_view expected) const {
  throw_corrupt(layer, fmt::format("metadata text: '{}' of '{}' is not {}", key, name(), expected));
}

std::optional<std::uint64_t> Section::find_number(std::string_view key) const {
  const dm_config_node* node = find(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  const auto number = node->v != nullptr ? to_number(*node->v) : std::nullopt;
  if (!number) {
    throw_bad(key, "a number");
  }
  return number;
}

std::optional<std::string> Section::find_text(std::string_view key) const {
  const dm_config_node* node = find(key);
  if (node == nullptr) {
    return std::nullopt;
  }
  if (node->v == nullptr || node->v->type != DM_CFG_STRING) {
    throw_bad(key, "a string");
  }
  return node->v->v.str;
}

std::uint64_t Section::number(std::string_view key, std::uint64_t max) const {
  const auto number = find_number(key);
  if (!number || *number > max) {
    throw_bad(key, fmt::format("a number up to {}", max));
  }
  return *number;
}

std::string Section::text(std::string_view key) const {
  auto text = find_text(key);
  if (!text) {
    throw_bad(key, "there");
  }
  return *std::move(text);
}

std::vector<ConfigValue> Section::list(std::string_view key) const {
  std::vector<ConfigValue> values;
  const dm_config_node* node = find(key);
  const dm_config_value* value = node != nullptr ? node->v : nullptr;
  for (; value != nullptr && value->type != DM_CFG_EMPTY_ARRAY; value = value->next) {
    auto converted = to_value(*value);
    if (!converted) {
      throw_bad(key, "a list of strings and numbers");
    }
    values.push_back(*std::move(converted));
  }
  return values;
}

bool Section::lists(std::string_view key, std::string_view word) const {
  for (const ConfigValue& value : list(key)) {
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr && *text == word) {
      return true;
    }
  }
  return false;
}

std::vector<Section> Section::sections() const {
  std::vector<Section> sections;
  for (const dm_config_node* child = node_->child; child != nullptr; child = child->sib) {
    if (child->v == nullptr) {
      sections.emplace_back(child);
    }
  }
  return sections;
}

std::optional<Section> Section::find_section(std::string_view key) const {
  const dm_config_node* node = find(key);
  return node != nullptr && node->v == nullptr ? std::optional<Section>(node) : std::nullopt;
}

struct Config::Tree {
  TreePtr tree;
  dm_config_node root;
};

Config::Config(const std::string& text) {
  TreePtr tree = parse(text);
  dm_config_node root{};
  root.key = "";
  root.child = tree->root;
  tree_ = std::make_shared<const Tree>(Tree{std::move(tree), root});
}

Section Config::root() const noexcept { return Section(&tree_->root); }

}  // namespace vimg
