#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/output_shape.h"
#include "backends/identity/identity_options.h"
#include "common/status_macros.h"
#include "nereid/backend.h"

namespace nereid::identity {
namespace {

// The input's bytes, kept alive by the payload itself even if only the request held them so far.
Payload HandOn(const InferRequest& request, const Payload& data) {
  if (data.owner() != nullptr) return data;
  return Payload(request.storage, data.segments(), data.place());
}

// Answers each request with its own input bytes, wherever they are.
class IdentityInstance : public Instance {
 public:
  IdentityInstance(const Options& options, bool model_batches, std::chrono::milliseconds delay)
      : options_(options), model_batches_(model_batches), delay_(delay) {}

  absl::Status Execute(Batch& batch) override {
    batch.MarkComputeStart();
    if (delay_.count() > 0) std::this_thread::sleep_for(delay_);
    batch.MarkComputeEnd();
    batch.MarkExecEnd();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch.Has(i)) Answer(batch.request(i));
    }
    return absl::OkStatus();
  }

 private:
  void Answer(InferRequest& request) const {
    InferResponse response;
    for (const Pair& pair : options_.pairs) {
      const InferRequest::Input* input = request.FindInput(pair.input->name);
      if (input == nullptr || !request.WantsOutput(*pair.output)) continue;
      absl::StatusOr<Shape> shape = ClientShape(*pair.output, input->shape, model_batches_);
      if (!shape.ok()) return request.Fail(shape.status());
      response.outputs.push_back(
          {pair.output, input->data_type, *std::move(shape), HandOn(request, input->data)});
    }
    request.Respond(std::move(response));
  }

  const Options& options_;
  const bool model_batches_;
  const std::chrono::milliseconds delay_;
};

class IdentityModel : public Model {
 public:
  IdentityModel(std::shared_ptr<const ModelConfig> config, Options options)
      : config_(std::move(config)), options_(std::move(options)) {}

  absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(
      const InstanceContext& context) override {
    return std::make_unique<IdentityInstance>(options_, config_->max_batch_size() > 0,
                                              options_.DelayOf(context.index));
  }

 private:
  const std::shared_ptr<const ModelConfig> config_;
  const Options options_;
};

class IdentityBackend : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<IdentityBackend>> Create(const BackendContext&) {
    return std::make_unique<IdentityBackend>();
  }

  absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelContext& context) override {
    NEREID_ASSIGN_OR_RETURN(Options options, ReadOptions(*context.config));
    return std::make_unique<IdentityModel>(context.config, std::move(options));
  }

  // It never looks at the bytes, so any place will do.
  bool SupportsGpu() const override { return true; }
};

}  // namespace
}  // namespace nereid::identity

NEREID_BACKEND_MODULE(nereid::identity::IdentityBackend)
