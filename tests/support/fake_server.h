#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/strings.h"
#include "infer/request_validator.h"
#include "server/inference_server.h"

namespace nereid::testing {

// Hands every input "INPUT<suffix>" on as output "OUTPUT<suffix>", without copying a byte.
inline void AnswerIdentity(std::unique_ptr<InferRequest> request) {
  InferResponse response;
  for (const InferRequest::Input& input : request->inputs) {
    const std::string name = StrCat("OUTPUT", input.name.substr(5));
    const TensorSpec* spec = request->config->FindOutput(name);
    if (spec == nullptr || !request->WantsOutput(*spec)) continue;
    response.outputs.push_back({spec, input.data_type, input.shape, input.data});
  }
  request->Respond(std::move(response));
}

// A model version that validates each request and passes it to `behaviour`, on the caller's thread.
class FakeServable : public Servable {
 public:
  using Behaviour = std::function<void(std::unique_ptr<InferRequest>)>;

  explicit FakeServable(std::shared_ptr<const ModelConfig> config, int64_t version = 1,
                        Behaviour behaviour = AnswerIdentity)
      : config_(std::move(config)), version_(version), behaviour_(std::move(behaviour)) {}

  void set_behaviour(Behaviour behaviour) { behaviour_ = std::move(behaviour); }

  void Submit(std::unique_ptr<InferRequest> request) noexcept override {
    absl::Status status = ValidateRequest(config_, *request);
    if (!status.ok()) return request->Fail(std::move(status));
    behaviour_(std::move(request));
  }
  const std::shared_ptr<const ModelConfig>& config() const override { return config_; }
  int64_t version() const override { return version_; }
  const ModelStatistics& statistics() const override { return statistics_; }
  MemoryEstimate memory_usage() const override { return {}; }
  int64_t InFlight() const override { return 0; }
  bool Healthy() const override { return true; }

 private:
  const std::shared_ptr<const ModelConfig> config_;
  const int64_t version_;
  Behaviour behaviour_;
  ModelStatistics statistics_;
};

// A server that says what its members say. Set them up before the frontend starts; it counts
// nothing, checks nothing, and answers on the caller's thread.
class FakeServer : public InferenceServer {
 public:
  absl::Status live;
  absl::StatusOr<bool> ready = true;
  std::map<std::string, absl::StatusOr<bool>, std::less<>> model_ready;  // absent: as Resolve()
  ServerMetadata metadata{"triton", "1.2.3", {"classification", "statistics"}};
  absl::StatusOr<std::vector<StatisticsRow>> statistics = std::vector<StatisticsRow>();
  std::vector<IndexRow> index;

  // What the last load and unload asked for, and what they are answered with.
  struct Loaded {
    std::string model;
    LoadOverrides overrides;
  };
  struct Unloaded {
    std::string model;
    bool unload_dependents = false;
  };
  std::vector<Loaded> loads;
  std::vector<Unloaded> unloads;
  absl::Status load_status;
  absl::Status unload_status;
  bool allows_client_memory = false;
  SharedMemoryRegistry regions{true};
  SharedMemoryRegistry no_regions{false};
  // What Infer() refuses everything with.
  absl::Status infer_status;

  FakeServable* Add(std::shared_ptr<const ModelConfig> config, int64_t version = 1,
                    FakeServable::Behaviour behaviour = AnswerIdentity) {
    const std::string name = config->name();
    auto servable =
        std::make_shared<FakeServable>(std::move(config), version, std::move(behaviour));
    models_[name][version] = servable;
    return servable.get();
  }

  absl::Status Live() const override { return live; }
  absl::StatusOr<bool> Ready() const override { return ready; }
  absl::StatusOr<bool> ModelReady(std::string_view model, int64_t version) const override {
    if (const auto found = model_ready.find(model); found != model_ready.end()) {
      return found->second;
    }
    const auto servable = Resolve(model, version);
    if (!servable.ok()) return servable.status();
    return true;
  }
  absl::StatusOr<ServerMetadata> Metadata() const override { return metadata; }
  absl::StatusOr<std::vector<int64_t>> ReadyVersions(std::string_view model) const override {
    const auto found = models_.find(model);
    if (found == models_.end()) return Unknown(model);
    std::vector<int64_t> versions;
    for (const auto& [version, servable] : found->second) versions.push_back(version);
    return versions;
  }
  absl::StatusOr<ServableHandle> Resolve(std::string_view model, int64_t version) const override {
    const auto found = models_.find(model);
    if (found == models_.end()) return Unknown(model);
    if (version == kLatestVersion) return found->second.rbegin()->second;
    const auto at_version = found->second.find(version);
    if (at_version != found->second.end()) return at_version->second;
    return absl::NotFoundError(
        StrCat("Request for unknown model: '", model, "' version ", version, " is not found"));
  }
  absl::StatusOr<std::vector<StatisticsRow>> Statistics(std::string_view, int64_t) const override {
    return statistics;
  }
  absl::StatusOr<std::vector<IndexRow>> RepositoryIndex(bool ready_only) const override {
    std::vector<IndexRow> rows;
    for (const IndexRow& row : index) {
      if (!ready_only || row.state == "READY") rows.push_back(row);
    }
    return rows;
  }
  void LoadModel(std::string model, LoadOverrides overrides, Done done) override {
    loads.push_back({std::move(model), std::move(overrides)});
    done(load_status);
  }
  void UnloadModel(std::string model, bool unload_dependents, Done done) override {
    unloads.push_back({std::move(model), unload_dependents});
    done(unload_status);
  }
  SharedMemoryRegistry& shared_memory() override {
    return allows_client_memory ? regions : no_regions;
  }
  void Infer(ServableHandle servable, std::unique_ptr<InferRequest> request) noexcept override {
    if (!infer_status.ok()) return request->Fail(infer_status);
    request->servable_handle = servable;
    servable->Submit(std::move(request));
  }

 private:
  static absl::Status Unknown(std::string_view model) {
    return absl::NotFoundError(StrCat("Request for unknown model: '", model, "' is not found"));
  }

  std::map<std::string, std::map<int64_t, std::shared_ptr<FakeServable>>, std::less<>> models_;
};

}  // namespace nereid::testing
