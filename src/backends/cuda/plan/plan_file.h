#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace nereid::engine {

// Results that take long to find, of one subject and one version of what made them
// (device/artifact_store.h).
struct PlanSection {
  std::string subject;
  std::string version;
  std::map<std::string, std::string, std::less<>> entries;
};

// What a plan file holds. `model` names the model it was made for (plan/model_digest.h).
struct PlanContents {
  std::string model;
  std::vector<PlanSection> sections;
};

// The bytes of a plan file: magic number, format version, file size, a table of sections {type,
// offset, size, SHA-256}, a SHA-256 of all that, and the sections. Numbers are little-endian. Equal
// contents give equal bytes.
std::string EncodePlan(const PlanContents& contents);

// DATA_LOSS for bytes that are cut off, damaged anywhere, or no plan; FAILED_PRECONDITION for a
// format of another version.
absl::StatusOr<PlanContents> DecodePlan(std::string_view bytes);

}  // namespace nereid::engine
