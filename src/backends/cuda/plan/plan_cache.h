#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "backends/cuda/device/artifact_store.h"
#include "backends/cuda/plan/plan_file.h"

namespace nereid::engine {

// Where plans are looked for. Both empty: nowhere.
struct PlanCacheOptions {
  // A folder that processes share, read and written. Whoever can write there decides what code runs
  // on the GPU.
  std::string folder;
  uint64_t folder_limit = uint64_t{4} << 30;  // bytes; the plans unused longest go
  // A file that came with the model, read only.
  std::string shipped;

  bool enabled() const { return !folder.empty() || !shipped.empty(); }
};

// What makes loading a model slow and is found only once: one file a model, with a section for each
// kind of GPU and each library. Entries of sections made by another version are not used, and go
// when a new one is remembered. A file that is damaged, of another format or of another model is
// ignored with one warning; nothing here fails a load. Any thread.
class PlanCache final : public ArtifactStore {
 public:
  // Reads what there is. `model` is its ModelDigest().
  static std::shared_ptr<PlanCache> Open(PlanCacheOptions options, std::string model);

  std::optional<std::string> Find(const ArtifactScope& scope, std::string_view key) override;
  void Remember(const ArtifactScope& scope, std::string_view key, std::string value) override;

  // Brings what was remembered since the last time into the folder's file, together with what
  // others have put there meanwhile. Warns once when it cannot.
  void Save();
  // Writes all of it to a file, to be shipped with the model.
  absl::Status SaveTo(const std::string& path) const;

  // The folder's file of this model; empty without a folder.
  std::string path() const;
  struct Counts {
    int64_t found = 0, missed = 0, remembered = 0;
  };
  Counts counts() const;

 private:
  struct Section {
    std::string version;
    std::map<std::string, std::string, std::less<>> entries;
    bool current = false;  // asked for by this process: its version is that of this machine
  };

  PlanCache(PlanCacheOptions options, std::string model)
      : options_(std::move(options)), model_(std::move(model)) {}
  void ReadFrom(const std::string& path);
  void Merge(PlanContents contents);
  Section& SectionOf(const ArtifactScope& scope);
  PlanContents Contents() const;
  absl::Status SaveToFolder();

  const PlanCacheOptions options_;
  const std::string model_;
  std::mutex saving_;
  bool warned_ = false;  // guarded by saving_
  mutable std::mutex mutex_;
  std::map<std::string, Section, std::less<>> sections_;  // by subject; guarded by mutex_
  Counts counts_;                                         // guarded by mutex_
  bool dirty_ = false;                                    // guarded by mutex_
};

}  // namespace nereid::engine
