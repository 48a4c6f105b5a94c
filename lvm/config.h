// Config: LVM's text metadata as a tree of sections and settings.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct dm_config_node;

namespace vimg {

// A number or a string.
using ConfigValue = std::variant<std::uint64_t, std::string>;

// A named section, as long as its Config lives.  Members that ask for a setting throw
// Error(EUCLEAN), naming section and setting, when it is there but of another kind; of two settings
// with one name the first counts.
class Section {
 public:
  explicit Section(const dm_config_node* node) noexcept : node_(node) {}

  std::string_view name() const noexcept;

  std::optional<std::uint64_t> find_number(std::string_view key) const;
  std::optional<std::string> find_text(std::string_view key) const;
  // These throw too when the setting is missing, and number() when it is above `max`.
  std::uint64_t number(std::string_view key, std::uint64_t max) const;
  std::string text(std::string_view key) const;

  // The values of a list, or of a single value; none when the setting is missing.
  std::vector<ConfigValue> list(std::string_view key) const;
  // True when the list `key` holds the string `word`.
  bool lists(std::string_view key, std::string_view word) const;

  // In the order of the text.
  std::vector<Section> sections() const;
  std::optional<Section> find_section(std::string_view key) const;

  [[noreturn]] void throw_bad(std::string_view key, std::string_view expected) const;

 private:
  const dm_config_node* find(std::string_view key) const noexcept;

  const dm_config_node* node_;
};

// A parsed text.  Immutable and cheap to copy; may be used from several threads.
class Config {
 public:
  // Throws Error(EUCLEAN) as check_metadata_text does, or when libdevmapper cannot parse it.
  explicit Config(const std::string& text);

  // What is not inside any section counts as the settings of one without a name.
  Section root() const noexcept;

 private:
  struct Tree;
  std::shared_ptr<const Tree> tree_;
};

}  // namespace vimg
