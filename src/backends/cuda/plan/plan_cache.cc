#include "backends/cuda/plan/plan_cache.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "backends/cuda/plan/plan_folder.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

absl::StatusOr<PlanContents> ReadContents(const std::string& path, const std::string& model) {
  NEREID_ASSIGN_OR_RETURN(const std::string bytes, ReadPlan(path));
  NEREID_ASSIGN_OR_RETURN(PlanContents contents, DecodePlan(bytes));
  if (contents.model == model) return contents;
  return absl::FailedPreconditionError("it was made for another model");
}

}  // namespace

std::shared_ptr<PlanCache> PlanCache::Open(PlanCacheOptions options, std::string model) {
  std::shared_ptr<PlanCache> cache(new PlanCache(std::move(options), std::move(model)));
  if (!cache->options_.shipped.empty()) cache->ReadFrom(cache->options_.shipped);
  if (!cache->options_.folder.empty()) cache->ReadFrom(cache->path());
  return cache;
}

std::string PlanCache::path() const {
  if (options_.folder.empty()) return "";
  return (std::filesystem::path(options_.folder) / StrCat(model_, kPlanSuffix)).string();
}

void PlanCache::ReadFrom(const std::string& path) {
  absl::StatusOr<PlanContents> contents = ReadContents(path, model_);
  if (contents.ok()) {
    if (path != options_.shipped) TouchPlan(path);
    return Merge(*std::move(contents));
  }
  if (absl::IsNotFound(contents.status())) return;
  NLOG(Warning) << "plan '" << path << "' is ignored: " << Message(contents.status());
}

// A section that this process has asked for is what this machine makes: others of another version
// are older, or of a machine with other libraries. Otherwise the one read last wins.
void PlanCache::Merge(PlanContents contents) {
  const std::lock_guard lock(mutex_);
  for (PlanSection& section : contents.sections) {
    Section& own = sections_[section.subject];
    if (own.version != section.version) {
      if (own.current) continue;
      own.version = std::move(section.version);
      own.entries.clear();
    }
    own.entries.merge(section.entries);  // keeps what is there
  }
}

PlanCache::Section& PlanCache::SectionOf(const ArtifactScope& scope) {
  Section& section = sections_[scope.subject];
  if (section.version != scope.version) {
    if (!section.entries.empty()) {
      NLOG(Info) << "the plan's " << scope.subject << " were made with " << section.version
                 << "; they are made again with " << scope.version;
    }
    section = Section{scope.version, {}, true};
  }
  section.current = true;
  return section;
}

std::optional<std::string> PlanCache::Find(const ArtifactScope& scope, std::string_view key) {
  const std::lock_guard lock(mutex_);
  const Section& section = SectionOf(scope);
  const auto found = section.entries.find(key);
  if (found == section.entries.end()) {
    ++counts_.missed;
    return std::nullopt;
  }
  ++counts_.found;
  return found->second;
}

void PlanCache::Remember(const ArtifactScope& scope, std::string_view key, std::string value) {
  const std::lock_guard lock(mutex_);
  SectionOf(scope).entries.insert_or_assign(std::string(key), std::move(value));
  ++counts_.remembered;
  dirty_ = true;
}

PlanContents PlanCache::Contents() const {
  const std::lock_guard lock(mutex_);
  PlanContents contents{model_, {}};
  for (const auto& [subject, section] : sections_) {
    if (section.entries.empty()) continue;
    contents.sections.push_back({subject, section.version, section.entries});
  }
  return contents;
}

absl::Status PlanCache::SaveToFolder() {
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  if (error) {
    return absl::UnavailableError(StrCat("cannot make '", options_.folder, "': ", error.message()));
  }
  NEREID_ASSIGN_OR_RETURN(const PlanLock lock, PlanLock::Acquire(path()));
  // What others have written since; a bad file was warned about when it was first read.
  if (auto contents = ReadContents(path(), model_); contents.ok()) Merge(*std::move(contents));
  NEREID_RETURN_IF_ERROR(ReplacePlan(path(), EncodePlan(Contents())));
  EvictPlans(options_.folder, options_.folder_limit, path());
  return absl::OkStatus();
}

void PlanCache::Save() {
  if (options_.folder.empty()) return;
  const std::lock_guard saving(saving_);
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(dirty_, false)) return;
  }
  const absl::Status status = SaveToFolder();
  if (status.ok() || std::exchange(warned_, true)) return;
  NLOG(Warning) << "the plan of a model is not kept: " << Message(status);
}

absl::Status PlanCache::SaveTo(const std::string& path) const {
  return ReplacePlan(path, EncodePlan(Contents()));
}

PlanCache::Counts PlanCache::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace nereid::engine
