#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "infer/model_resolver.h"
#include "repository/model_key.h"
#include "repository/snapshot_cell.h"
#include "repository/version_state.h"

namespace nereid {

// One version as the serving map knows it. Immutable and shared by successive snapshots.
class ServingVersion {
 public:
  // `handle` is null unless `state` is READY.
  ServingVersion(int64_t version, VersionState state, const ServableHandle& handle);

  int64_t version() const { return version_; }
  VersionState state() const { return state_; }
  bool ready() const { return state_ == VersionState::kReady; }
  // A handle counted beside the other threads' handles, not with them. Null unless READY.
  const ServableHandle& handle() const { return handles_[ThreadStripe() % kHandles]; }

 private:
  static constexpr unsigned kHandles = 8;

  const int64_t version_;
  const VersionState state_;
  std::array<ServableHandle, kHandles> handles_;
};

// All known versions of one model, ascending.
using ServingVersions = std::vector<std::shared_ptr<const ServingVersion>>;

// Which versions serve which names: the one place that every request looks at.
//
// Resolve() takes no lock and shares no counter between threads; the handle it gives keeps the
// version loaded. Once Update() has returned, nobody gets a handle of what it took away.
// With namespaces, one name may belong to several models; a name that does is refused.
class ServingMap : public ModelResolver {
 public:
  explicit ServingMap(bool namespacing);

  absl::StatusOr<ServableHandle> Resolve(std::string_view model, int64_t version) const override;

  // READY versions of `model`, ascending. Errors as Resolve() has for an unknown name.
  absl::StatusOr<std::vector<int64_t>> ReadyVersions(std::string_view model) const;
  // Handles of every READY version, by name, then version.
  std::vector<ServableHandle> AllReady() const;

  // Replaces everything known about `key`; nothing left when `versions` is empty.
  void Update(const ModelKey& key, ServingVersions versions);
  void Clear();

 private:
  // The models of one name: one, but for namespaces.
  struct NamedModel {
    std::string name_space;
    ServingVersions versions;
    const ServingVersion* latest = nullptr;  // highest READY; null: none
  };
  using NameEntry = std::vector<NamedModel>;
  // Looks names up without making a string of them.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };
  using Models =
      absl::flat_hash_map<std::string, std::shared_ptr<const NameEntry>, NameHash, std::equal_to<>>;

  absl::StatusOr<const NamedModel*> Find(const Models& models, std::string_view model) const;

  const bool namespacing_;
  SnapshotCell<Models> models_;
};

}  // namespace nereid
