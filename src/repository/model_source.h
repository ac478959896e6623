#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace nereid {

// What a model's files looked like at one moment. Parts that are told apart: an edited
// configuration, a changed version and a changed file that all versions share lead to different
// amounts of work. Only equality has a meaning.
struct ChangeToken {
  int64_t config = 0;                   // the configuration file; 0: there is none
  int64_t shared = 0;                   // everything that is neither configuration nor version
  std::map<int64_t, int64_t> versions;  // by version
  // The folder itself: entries came, went or were renamed.
  int64_t folder = 0;

  friend bool operator==(const ChangeToken&, const ChangeToken&) = default;
};

// A model's files at a local path.
struct ModelFolder {
  std::string path;
  std::vector<int64_t> versions;         // that have a folder; ascending
  std::shared_ptr<const void> lifetime;  // the files stay while this is held; may be null
};

// One place that models come from: a folder, a bucket. Any thread; calls may take as long as
// reading files takes.
class ModelSource {
 public:
  virtual ~ModelSource() = default;

  // As the user wrote it; the namespace of its models when names are told apart by source.
  virtual const std::string& path() const = 0;
  // Names of all candidates, sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListModels() const = 0;
  // Whether there is a candidate of that name.
  virtual absl::StatusOr<bool> HasModel(std::string_view model) const = 0;
  // Versions that have a folder, ascending. Names that are no version are left out with a warning.
  virtual absl::StatusOr<std::vector<int64_t>> ListVersions(std::string_view model) const = 0;
  // Brings the model's files to this machine.
  virtual absl::StatusOr<ModelFolder> Materialise(std::string_view model) const = 0;
  // `config_name` is the name of the alternative configuration in use, or empty.
  virtual absl::StatusOr<ChangeToken> Token(std::string_view model,
                                            std::string_view config_name) const = 0;
};

}  // namespace nereid
