#include "repository/model_index.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/strings.h"

namespace nereid {
namespace {

void AppendModel(const std::string& name, std::vector<VersionStatus> versions, bool ready_only,
                 std::vector<ModelIndexRow>& rows) {
  if (versions.empty() && !ready_only) rows.push_back({name, std::nullopt, std::nullopt, ""});
  for (VersionStatus& version : versions) {
    if (ready_only && version.state != VersionState::kReady) continue;
    rows.push_back({name, version.version, version.state, std::move(version.reason)});
  }
}

std::string StatusCell(const VersionStatus& version) {
  const std::string_view state = VersionStateName(version.state);
  return version.reason.empty() ? std::string(state) : StrCat(state, ": ", version.reason);
}

}  // namespace

absl::StatusOr<std::vector<ModelIndexRow>> MakeIndex(const SourceCatalog& catalog,
                                                     const ModelLifecycle& lifecycle,
                                                     bool ready_only) {
  const SourceCatalog::Listing listing = catalog.List();
  if (!listing.unreadable.empty()) {
    return absl::InternalError(listing.unreadable.begin()->second.message());
  }
  std::vector<ModelIndexRow> rows;
  for (const auto& [name, places] : listing.models) {
    if (catalog.IsAmbiguous(places)) {
      rows.push_back({name, std::nullopt, VersionState::kUnavailable,
                      "model appears in two or more repositories"});
      continue;
    }
    for (const auto& source : places) {
      AppendModel(name, lifecycle.Versions(catalog.KeyFor(*source, name)), ready_only, rows);
    }
  }
  return rows;
}

std::vector<ModelTableRow> MakeTable(const ModelLifecycle& lifecycle, const LoadedModels& loaded) {
  std::vector<ModelTableRow> rows;
  for (const ModelStatus& model : lifecycle.AllModels()) {
    for (const VersionStatus& version : model.versions) {
      rows.push_back({model.key.ToString(), StrCat(version.version), StatusCell(version)});
    }
  }
  for (const auto& [name, failure] : loaded.PollFailures()) {
    rows.push_back({name, "-", StrCat("Not loaded: ", failure.message())});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return rows;
}

bool AllReady(const std::vector<ModelStatus>& models) {
  const auto serves_or_was_unloaded = [](const VersionStatus& version) {
    return version.state == VersionState::kReady ||
           (version.state == VersionState::kUnavailable && version.reason == kUnloadedReason);
  };
  return std::all_of(models.begin(), models.end(), [&](const ModelStatus& model) {
    return !model.versions.empty() &&
           std::all_of(model.versions.begin(), model.versions.end(), serves_or_was_unloaded);
  });
}

}  // namespace nereid
