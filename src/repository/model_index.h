#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "repository/loaded_models.h"
#include "repository/model_lifecycle.h"
#include "repository/source_catalog.h"

namespace nereid {

// One row of the repository index.
struct ModelIndexRow {
  std::string name;
  std::optional<int64_t> version;     // absent: never loaded
  std::optional<VersionState> state;  // absent: never loaded
  std::string reason;
};

// One row for each version of each model that is in a source now; a model that was never loaded is
// a row with only a name. With `ready_only`, READY versions and names that are not unique.
absl::StatusOr<std::vector<ModelIndexRow>> MakeIndex(const SourceCatalog& catalog,
                                                     const ModelLifecycle& lifecycle,
                                                     bool ready_only);

// One row of the table printed at start-up.
struct ModelTableRow {
  std::string name;     // with its namespace
  std::string version;  // "-": none
  std::string status;   // "READY", "<STATE>: <reason>", "Not loaded: <why>"
};

std::vector<ModelTableRow> MakeTable(const ModelLifecycle& lifecycle, const LoadedModels& loaded);

// True when every model has versions, and each is READY or was unloaded on request.
bool AllReady(const std::vector<ModelStatus>& models);

}  // namespace nereid
