#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "repository/loaded_models.h"
#include "repository/model_inspector.h"
#include "repository/model_lifecycle.h"
#include "repository/repository_options.h"
#include "repository/source_catalog.h"

namespace nereid {

// What a load works on. Everything outlives it.
struct LoadContext {
  const RepositoryOptions* options = nullptr;
  const SourceCatalog* catalog = nullptr;
  ModelLifecycle* lifecycle = nullptr;
  LoadedModels* loaded = nullptr;
};

// Brings the model `name` up to date: finds it, reads its configuration, loads the versions that
// changed, takes out those no longer wanted. Does nothing when nothing has changed. `with` replaces
// the configuration, or all files; then everything is loaded anew.
//
// Reads files on the calling thread; the versions load on the executor. `done` runs once, on
// either. INTERNAL when the model is not found or cannot be read; INVALID_ARGUMENT when the policy
// selects no version, when `with` is at fault and when a version fails to load.
void StartLoad(const LoadContext& context, const std::string& name, const ModelOverride& with,
               std::function<void(absl::Status)> done);

// INVALID_ARGUMENT unless `with` is complete and its paths stay inside the model.
absl::Status CheckOverride(const ModelOverride& with);

// The versions of `model` that have to load so that it becomes what was inspected. `previous` is
// what it was made from, `serving` which versions serve now; `replaced` means that a client brought
// a configuration or files, so that nothing can be kept.
LoadPlan PlanLoad(const ModelKey& key, InspectedModel model, const ChangeToken& token,
                  const std::optional<LoadedModel>& previous, const std::set<int64_t>& serving,
                  bool replaced);

}  // namespace nereid
