#include "repository/load_operation.h"

#include <mutex>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "proto/model_config.pb.h"
#include "repository/override_folder.h"

namespace nereid {
namespace {

using Done = std::function<void(absl::Status)>;

// Answers once several parts have: with the first failure among them.
Done JoinOf(size_t count, Done done) {
  struct State {
    std::mutex mutex;
    size_t remaining;
    absl::Status status;
    Done done;
  };
  auto state = std::make_shared<State>();
  state->remaining = count;
  state->done = std::move(done);
  return [state](absl::Status status) {
    {
      const std::lock_guard lock(state->mutex);
      state->status.Update(std::move(status));
      if (--state->remaining > 0) return;
    }
    std::exchange(state->done, nullptr)(state->status);
  };
}

absl::Status PollFailure(const LoadContext& context, const std::string& name,
                         const absl::Status& why) {
  NLOG(Error) << "Poll failed for model directory '" << name << "': " << why.message();
  context.loaded->SetPollFailure(name, why);
  return absl::InternalError(
      StrCat("failed to load '", name, "', failed to poll from model repository: ", why.message()));
}

absl::Status CheckVersions(const ModelKey& key, const InspectedModel& model) {
  if (model.folder.versions.empty()) {
    return absl::InternalError(StrCat("failed to load '", key.name, "', no version is available"));
  }
  if (model.serve.empty()) {
    return absl::InvalidArgumentError(
        StrCat("at least one version must be available under the version policy of model '",
               key.name, "'"));
  }
  return absl::OkStatus();
}

std::set<int64_t> ServingVersionsOf(const ModelLifecycle& lifecycle, const ModelKey& key) {
  std::set<int64_t> serving;
  for (const VersionStatus& status : lifecycle.Versions(key)) {
    if (status.state == VersionState::kReady) serving.insert(status.version);
  }
  return serving;
}

// `from`: what the model is made from.
void Apply(const LoadContext& context, const ModelKey& key, InspectedModel model, LoadedModel from,
           bool replaced, Done done) {
  context.loaded->SetPollFailure(key.name, std::nullopt);
  if (absl::Status status = CheckVersions(key, model); !status.ok()) {
    context.loaded->SetPollFailure(key.name, status);
    done(std::move(status));
    return;
  }
  from.config = model.config;
  LoadPlan plan =
      PlanLoad(key, std::move(model), from.token.value_or(ChangeToken{}), context.loaded->Get(key),
               ServingVersionsOf(*context.lifecycle, key), replaced);
  context.lifecycle->Load(std::move(plan), [loaded = context.loaded, key, from = std::move(from),
                                            done = std::move(done)](absl::Status status) {
    // After a failure the old entry stays: the next look sees a change and
    // tries again.
    if (status.ok()) loaded->Set(key, from);
    done(std::move(status));
  });
}

InspectOptions InspectOptionsOf(const LoadContext& context) {
  return {.config_name = context.options->config_name,
          .auto_complete = context.options->auto_complete_config};
}

absl::StatusOr<InspectedModel> Inspect(const LoadContext& context, const ModelSource& source,
                                       const std::string& name, const ModelOverride& with) {
  NEREID_ASSIGN_OR_RETURN(ModelFolder folder, source.Materialise(name));
  return InspectModel(InspectOptionsOf(context), name, std::move(folder), with.config_json);
}

void LoadFromSource(const LoadContext& context, const ModelSource& source, const std::string& name,
                    const ModelOverride& with, Done done) {
  const ModelKey key = context.catalog->KeyFor(source, name);
  absl::StatusOr<ChangeToken> token = source.Token(name, context.options->config_name);
  if (!token.ok()) return done(PollFailure(context, name, token.status()));
  const std::optional<LoadedModel> previous = context.loaded->Get(key);
  const bool replaced = !with.empty();
  if (!replaced && previous && previous->token == *token) return done(absl::OkStatus());

  absl::StatusOr<InspectedModel> model = Inspect(context, source, name, with);
  if (model.ok())
    return Apply(context, key, *std::move(model),
                 {*std::move(token), nullptr, with.config_json, ""}, replaced, std::move(done));
  // What the client sent is the client's to correct.
  const bool blame_client = replaced && absl::IsInvalidArgument(model.status());
  const absl::Status failure = PollFailure(context, name, model.status());
  done(blame_client ? model.status() : failure);
}

void LoadFromFiles(const LoadContext& context, const std::string& name, const ModelOverride& with,
                   Done done) {
  absl::StatusOr<ModelFolder> folder = WriteOverrideFolder(
      *context.options->files, context.options->temporary_directory, with.files);
  if (!folder.ok()) return done(folder.status());
  LoadedModel from = {std::nullopt, nullptr, with.config_json, folder->path};
  absl::StatusOr<InspectedModel> model =
      InspectModel(InspectOptionsOf(context), name, *std::move(folder), with.config_json);
  if (!model.ok()) return done(model.status());
  Apply(context, ModelKey{"", name}, *std::move(model), std::move(from), true, std::move(done));
}

// A name that is in two places loses the model that was loaded from one of them.
void DropAmbiguous(const LoadContext& context, const std::string& name) {
  for (const ModelKey& key : context.loaded->Named(name)) {
    context.lifecycle->Unload(key);
    context.loaded->Remove(key);
  }
}

}  // namespace

absl::Status CheckOverride(const ModelOverride& with) {
  if (with.files.empty()) return absl::OkStatus();
  if (with.config_json.empty()) {
    return absl::InvalidArgumentError(
        "Load parameter 'config' must be specified for model file override");
  }
  for (const auto& [path, content] : with.files) NEREID_RETURN_IF_ERROR(CheckOverridePath(path));
  return absl::OkStatus();
}

LoadPlan PlanLoad(const ModelKey& key, InspectedModel model, const ChangeToken& token,
                  const std::optional<LoadedModel>& previous, const std::set<int64_t>& serving,
                  bool replaced) {
  const bool all = replaced || !previous || !previous->token ||
                   previous->token->shared != token.shared ||
                   !SameButForVersionPolicy(*previous->config, *model.config);
  const auto change = [](const ChangeToken& of, int64_t version) {
    const auto found = of.versions.find(version);
    return found == of.versions.end() ? 0 : found->second;
  };
  LoadPlan plan;
  plan.key = key;
  plan.lifetime = std::move(model.folder.lifetime);
  for (const int64_t version : model.serve) {
    if (!all && serving.contains(version) &&
        change(*previous->token, version) == change(token, version)) {
      plan.keep.insert(version);
      continue;
    }
    plan.load.push_back({.name = key.name,
                         .name_space = key.name_space,
                         .version = version,
                         .model_path = model.folder.path,
                         .version_path = JoinPath(model.folder.path, StrCat(version)),
                         .config = model.config,
                         .config_was_provided = model.config_was_provided});
  }
  return plan;
}

void StartLoad(const LoadContext& context, const std::string& name, const ModelOverride& with,
               Done done) {
  if (!with.files.empty()) return LoadFromFiles(context, name, with, std::move(done));
  absl::StatusOr<SourceCatalog::Sources> sources = context.catalog->Find(name);
  if (!sources.ok()) {
    NLOG(Error) << sources.status().message();
    if (absl::IsFailedPrecondition(sources.status())) DropAmbiguous(context, name);
    return done(absl::InternalError(
        StrCat("failed to load '", name, "', failed to poll from model repository")));
  }
  const Done join = JoinOf(sources->size(), std::move(done));
  for (const auto& source : *sources) LoadFromSource(context, *source, name, with, join);
}

}  // namespace nereid
