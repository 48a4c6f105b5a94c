// Table: rows of cells, printed in columns.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace vimg {

enum class Align { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
};

// Columns that are empty in every row are not printed.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell for each column.  The text comes from images and is escaped here.
  void add(const std::vector<std::string>& cells);

  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace vimg
