#include "repository/source_catalog.h"

#include <algorithm>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {

bool SourceCatalog::Listing::Lacks(const ModelKey& key) const {
  if (key.name_space.empty()) return unreadable.empty() && !models.contains(key.name);
  if (unreadable.contains(key.name_space)) return false;
  const auto found = models.find(key.name);
  if (found == models.end()) return true;
  return std::none_of(found->second.begin(), found->second.end(),
                      [&](const auto& source) { return source->path() == key.name_space; });
}

SourceCatalog::Listing SourceCatalog::List() const {
  Listing listing;
  for (const auto& source : sources_) {
    absl::StatusOr<std::vector<std::string>> names = source->ListModels();
    if (!names.ok()) {
      listing.unreadable[source->path()] = names.status();
      continue;
    }
    for (const std::string& name : *names) listing.models[name].push_back(source);
  }
  return listing;
}

absl::StatusOr<SourceCatalog::Sources> SourceCatalog::Find(const std::string& name) const {
  Sources places;
  for (const auto& source : sources_) {
    NEREID_ASSIGN_OR_RETURN(const bool here, source->HasModel(name));
    if (here) places.push_back(source);
  }
  if (places.empty()) return absl::NotFoundError(StrCat("no model '", name, "'"));
  if (IsAmbiguous(places)) {
    return absl::FailedPreconditionError(
        StrCat("failed to poll model '", name, "': not unique across all model repositories"));
  }
  return places;
}

}  // namespace nereid
