#include "common/text_table.h"

#include <algorithm>

#include "absl/strings/str_split.h"

namespace nereid {
namespace {

using Lines = std::vector<std::string>;

}  // namespace

std::string TextTable::Text() const {
  const size_t columns = rows_[0].size();
  std::vector<size_t> widths(columns, 0);
  std::vector<std::vector<Lines>> cells;
  for (const auto& row : rows_) {
    std::vector<Lines> line(columns);
    for (size_t c = 0; c < columns; ++c) {
      if (c < row.size()) line[c] = absl::StrSplit(row[c], '\n');
      for (const std::string& text : line[c]) widths[c] = std::max(widths[c], text.size());
    }
    cells.push_back(std::move(line));
  }
  std::string rule = "+";
  for (size_t width : widths) rule += std::string(width + 2, '-') + "+";
  rule += '\n';

  std::string out = rule;
  for (size_t r = 0; r < cells.size(); ++r) {
    size_t height = 1;
    for (const Lines& lines : cells[r]) height = std::max(height, lines.size());
    for (size_t h = 0; h < height; ++h) {
      out += '|';
      for (size_t c = 0; c < columns; ++c) {
        std::string text = h < cells[r][c].size() ? cells[r][c][h] : "";
        text.resize(widths[c], ' ');
        out += ' ' + text + " |";
      }
      out += '\n';
    }
    if (r == 0 || r + 1 == cells.size()) out += rule;
  }
  return out;
}

}  // namespace nereid
