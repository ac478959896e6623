#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "repository/model_key.h"
#include "repository/model_source.h"

namespace nereid {

// All sources together: who has which model. Any thread.
class SourceCatalog {
 public:
  using Sources = std::vector<std::shared_ptr<ModelSource>>;

  // With `namespacing` one name may occur in several sources.
  SourceCatalog(Sources sources, bool namespacing)
      : sources_(std::move(sources)), namespacing_(namespacing) {}

  struct Listing {
    std::map<std::string, Sources> models;           // by name: where it is
    std::map<std::string, absl::Status> unreadable;  // by path: sources that cannot be listed

    // Whether the listing shows that `key`, which was there once, is gone.
    bool Lacks(const ModelKey& key) const;
  };
  Listing List() const;

  // Where `name` is: exactly one place, or at least one with namespaces. NOT_FOUND when it is
  // nowhere, FAILED_PRECONDITION when it is not unique, the source's error when it cannot be read.
  absl::StatusOr<Sources> Find(const std::string& name) const;

  // True when a name in these places cannot be loaded.
  bool IsAmbiguous(const Sources& places) const { return !namespacing_ && places.size() > 1; }
  ModelKey KeyFor(const ModelSource& source, const std::string& name) const {
    return {namespacing_ ? source.path() : "", name};
  }

 private:
  const Sources sources_;
  const bool namespacing_;
};

}  // namespace nereid
