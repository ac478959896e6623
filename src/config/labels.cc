#include "config/labels.h"

#include <algorithm>
#include <filesystem>

#include "common/status_macros.h"
#include "common/strings.h"
#include "config/text_file.h"

namespace nereid {
namespace {

constexpr size_t kMaxLabelFileBytes = 64u << 20;

// Whether `relative`, once its dots are resolved, stays below the folder it is joined to. Links are
// followed: whoever may make them in the folder may put the file there as well.
bool StaysInside(const std::filesystem::path& relative) {
  const std::filesystem::path normal = relative.lexically_normal();
  return !normal.empty() && *normal.begin() != "..";
}

}  // namespace

std::vector<std::string> SplitLabels(std::string_view text) {
  if (text.empty()) return {};
  if (text.back() == '\n') text.remove_suffix(1);
  std::vector<std::string> labels;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    labels.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return labels;
}

absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& model_path,
                                                    const std::string& label_filename,
                                                    std::string_view output,
                                                    std::string_view model) {
  const std::filesystem::path relative = std::filesystem::path(label_filename).relative_path();
  const std::string path = (std::filesystem::path(model_path) / relative).string();
  if (!StaysInside(relative)) {
    return absl::UnimplementedError(StrCat("label file path '", path, "' for output '", output,
                                           "' in model '", model, "' is outside model directory"));
  }
  NEREID_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path, kMaxLabelFileBytes));
  return SplitLabels(text);
}

}  // namespace nereid
