#include "backend/backend_registry.h"

#include <algorithm>
#include <utility>

#include "backend/module_loader.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace nereid {

BackendSettings BackendRegistry::SettingsOf(const std::string& backend) const {
  BackendSettings merged = options_.global_settings;
  auto own = options_.settings.find(backend);
  if (own == options_.settings.end()) return merged;
  for (const auto& [name, value] : own->second) merged[name] = value;
  return merged;
}

BackendRegistry::Result BackendRegistry::Load(const std::string& path,
                                              const std::string& backend) const {
  BackendContext context;
  context.name = backend;
  context.directory = path.substr(0, path.rfind('/'));
  context.settings = SettingsOf(backend);
  if (options_.make_metrics) context.metrics = options_.make_metrics(backend);
  context.needs_new_process = options_.needs_new_process;
  return LoadBackendModule(path, context);
}

absl::StatusOr<std::shared_ptr<Backend>> BackendRegistry::Get(const BackendQuery& query) {
  NEREID_ASSIGN_OR_RETURN(std::string path, FindBackendLibrary(query, options_.backend_directory));
  std::promise<Result> promise;
  std::shared_future<Result> result;
  bool is_first = false;
  {
    std::lock_guard lock(mutex_);
    auto [entry, inserted] = entries_.try_emplace(path);
    is_first = inserted;
    if (inserted) entry->second = {query.backend, promise.get_future().share(), false};
    result = entry->second.result;
  }
  if (!is_first) return result.get();

  Result loaded = Load(path, query.backend);
  {
    std::lock_guard lock(mutex_);
    if (loaded.ok()) {
      entries_[path].loaded = true;
    } else {
      entries_.erase(path);
    }
  }
  if (loaded.ok()) {
    NVLOG(1) << "backend '" << query.backend << "' loaded from '" << path << "'";
  }
  promise.set_value(loaded);
  return loaded;
}

std::vector<BackendRegistry::LoadedModule> BackendRegistry::Loaded() const {
  std::vector<LoadedModule> modules;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [path, entry] : entries_) {
      if (entry.loaded) modules.push_back({entry.backend, path, {}});
    }
  }
  for (LoadedModule& module : modules) module.settings = SettingsOf(module.backend);
  std::stable_sort(modules.begin(), modules.end(), [](const auto& left, const auto& right) {
    return left.backend < right.backend;
  });
  return modules;
}

}  // namespace nereid
