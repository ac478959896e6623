#pragma once

#include <string>
#include <vector>

namespace nereid {

// A table in plain characters, for the log:
//   +--------+---------+
//   | Model  | Version |
//   +--------+---------+
//   | simple | 1       |
//   +--------+---------+
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

  // Missing cells are empty; line breaks inside a cell become further lines of the row.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace nereid
