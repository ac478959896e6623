#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace nereid {

// One label a line, as it is; a final line break adds none.
std::vector<std::string> SplitLabels(std::string_view text);

// Reads the label file of `output`. UNIMPLEMENTED when `label_filename` leads out of the model's
// folder, INTERNAL when the file cannot be read.
absl::StatusOr<std::vector<std::string>> ReadLabels(const std::string& model_path,
                                                    const std::string& label_filename,
                                                    std::string_view output,
                                                    std::string_view model);

}  // namespace nereid
