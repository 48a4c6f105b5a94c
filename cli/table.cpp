#include "cli/table.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <ostream>
#include <string_view>

#include "disk/escape.h"

namespace vimg {
namespace {

// How many places `text` takes, with one for each code point of UTF-8.
std::size_t width(std::string_view text) {
  return std::size_t(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t places, Align align) {
  const std::string padding(places - std::min(places, width(text)), ' ');
  return align == Align::left ? text + padding : padding + text;
}

}  // namespace

void Table::add(const std::vector<std::string>& cells) {
  std::vector<std::string> row;
  std::ranges::transform(cells, std::back_inserter(row), printable);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out) const {
  std::vector<std::string> lines(rows_.size() + 1);
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t places = 0;
    for (const auto& row : rows_) {
      places = std::max(places, width(row[column]));
    }
    if (places == 0) {
      continue;
    }
    const auto& [title, align] = columns_[column];
    places = std::max(places, width(title));
    lines[0] += padded(title, places, align) + " ";
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      lines[row + 1] += padded(rows_[row][column], places, align) + " ";
    }
  }
  for (const std::string& line : lines) {
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  }
}

}  // namespace vimg
