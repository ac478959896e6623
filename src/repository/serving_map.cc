#include "repository/serving_map.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

// Keeps a handle, on cache lines of its own.
struct alignas(128) HandleStripe {
  ServableHandle handle;
};

std::string UnknownModel(std::string_view model, std::string_view what) {
  return StrCat("Request for unknown model: '", model, "' ", what);
}

const ServingVersion* LatestReady(const ServingVersions& versions) {
  const auto latest = std::find_if(versions.rbegin(), versions.rend(),
                                   [](const auto& version) { return version->ready(); });
  return latest == versions.rend() ? nullptr : latest->get();
}

absl::StatusOr<ServableHandle> Exact(const ServingVersions& versions, std::string_view model,
                                     int64_t version) {
  for (const auto& candidate : versions) {
    if (candidate->version() != version) continue;
    if (candidate->ready()) return candidate->handle();
    return absl::UnavailableError(
        UnknownModel(model, StrCat("version ", version, " is not at ready state")));
  }
  return absl::NotFoundError(UnknownModel(model, StrCat("version ", version, " is not found")));
}

}  // namespace

ServingVersion::ServingVersion(int64_t version, VersionState state, const ServableHandle& handle)
    : version_(version), state_(state) {
  if (handle == nullptr) return;
  for (ServableHandle& own : handles_) {
    own = ServableHandle(std::make_shared<HandleStripe>(HandleStripe{handle}), handle.get());
  }
}

ServingMap::ServingMap(bool namespacing)
    : namespacing_(namespacing), models_(std::make_unique<const Models>()) {}

absl::StatusOr<const ServingMap::NamedModel*> ServingMap::Find(const Models& models,
                                                               std::string_view model) const {
  const auto entry = models.find(model);
  if (entry == models.end()) {
    const std::string text = UnknownModel(model, "is not found");
    return namespacing_ ? absl::InvalidArgumentError(text) : absl::NotFoundError(text);
  }
  const NameEntry& named = *entry->second;
  if (named.size() == 1) return &named.front();
  const auto serves = [](const NamedModel& candidate) { return candidate.latest != nullptr; };
  const auto count = std::count_if(named.begin(), named.end(), serves);
  if (count > 1) {
    return absl::InvalidArgumentError(
        StrCat("There are ", count, " identifiers of model '", model,
               "' in global map, model namespace must be provided to resolve ambiguity."));
  }
  const auto serving = std::find_if(named.begin(), named.end(), serves);
  return serving == named.end() ? &named.front() : &*serving;
}

absl::StatusOr<ServableHandle> ServingMap::Resolve(std::string_view model, int64_t version) const {
  const SnapshotCell<Models>::Reader models(models_);
  NEREID_ASSIGN_OR_RETURN(const NamedModel* const found, Find(*models, model));
  if (version != kLatestVersion) return Exact(found->versions, model, version);
  if (found->latest != nullptr) return found->latest->handle();
  return absl::NotFoundError(UnknownModel(model, "has no available versions"));
}

absl::StatusOr<std::vector<int64_t>> ServingMap::ReadyVersions(std::string_view model) const {
  const SnapshotCell<Models>::Reader models(models_);
  NEREID_ASSIGN_OR_RETURN(const NamedModel* const found, Find(*models, model));
  std::vector<int64_t> ready;
  for (const auto& version : found->versions) {
    if (version->ready()) ready.push_back(version->version());
  }
  return ready;
}

std::vector<ServableHandle> ServingMap::AllReady() const {
  std::map<std::string, std::shared_ptr<const NameEntry>> sorted;
  {
    const SnapshotCell<Models>::Reader models(models_);
    sorted.insert(models->begin(), models->end());
  }
  std::vector<ServableHandle> handles;
  for (const auto& [name, entry] : sorted) {
    for (const NamedModel& model : *entry) {
      for (const auto& version : model.versions) {
        if (version->ready()) handles.push_back(version->handle());
      }
    }
  }
  return handles;
}

void ServingMap::Update(const ModelKey& key, ServingVersions versions) {
  const ServingVersion* const latest = LatestReady(versions);
  models_.Replace([&](const Models& old) {
    auto models = std::make_unique<Models>(old);
    NameEntry entry;
    if (const auto found = old.find(key.name); found != old.end()) entry = *found->second;
    std::erase_if(entry, [&](const NamedModel& m) { return m.name_space == key.name_space; });
    if (!versions.empty()) entry.push_back({key.name_space, std::move(versions), latest});
    if (entry.empty()) {
      models->erase(key.name);
    } else {
      (*models)[key.name] = std::make_shared<const NameEntry>(std::move(entry));
    }
    return models;
  });
}

void ServingMap::Clear() {
  models_.Replace([](const Models&) { return std::make_unique<Models>(); });
}

}  // namespace nereid
