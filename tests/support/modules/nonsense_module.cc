// A backend that breaks one rule of the interface; the model's parameter `fault` says which. INPUT0
// -> OUTPUT0 of INT32, and a sound echo without the parameter.

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "nereid/backend.h"

namespace {

using nereid::Batch;
using nereid::InferRequest;
using nereid::InferResponse;
using nereid::OutputTensor;

InferResponse Echo(const InferRequest& request, const nereid::ModelConfig& config) {
  const InferRequest::Input& input = request.inputs[0];
  InferResponse response;
  response.outputs.push_back(
      {config.FindOutput("OUTPUT0"), input.data_type, input.shape,
       nereid::Payload(request.storage, input.data.segments(), input.data.place())});
  return response;
}

using Answer = void (*)(InferRequest& request, InferResponse echo);

void RespondWith(InferRequest& request, InferResponse response) {
  request.Respond(std::move(response));
}

// What an execution may do wrong with a request.
const std::map<std::string, Answer> kAnswers = {
    {"", RespondWith},
    {"throws",
     [](InferRequest&, InferResponse) { throw std::runtime_error("the model is tired"); }},
    {"throws_number", [](InferRequest&, InferResponse) { throw 42; }},
    {"is_silent", [](InferRequest&, InferResponse) {}},
    {"answers_twice",
     [](InferRequest& request, InferResponse echo) {
       request.Respond(echo);
       request.Respond(echo);
       request.Fail(absl::InternalError("and once more"));
     }},
    {"throws_after_the_answer",
     [](InferRequest& request, InferResponse echo) {
       request.Respond(std::move(echo));
       throw std::runtime_error("too late");
     }},
    {"never_ends",
     [](InferRequest& request, InferResponse echo) { request.Respond(std::move(echo), false); }},
    {"sends_two",
     [](InferRequest& request, InferResponse echo) {
       request.Respond(echo, false);
       request.Respond(std::move(echo), true);
     }},
    {"fails_in_the_middle",
     [](InferRequest& request, InferResponse echo) {
       request.Respond(std::move(echo), false);
       request.Fail(absl::InternalError("half way"));
     }},
    {"finishes_without_answer", [](InferRequest& request, InferResponse) { request.Finish(); }},
    {"huge_shape",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].shape = {int64_t{1} << 62, 4};
       RespondWith(request, std::move(echo));
     }},
    {"negative_shape",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].shape = {-1, -3};
       RespondWith(request, std::move(echo));
     }},
    {"too_few_bytes",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].shape = {1, 1'000'000};
       RespondWith(request, std::move(echo));
     }},
    {"other_type",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].data_type = nereid::DataType::kInt64;
       RespondWith(request, std::move(echo));
     }},
    {"not_strings",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].data_type = nereid::DataType::kBytes;
       RespondWith(request, std::move(echo));
     }},
    {"no_type",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].data_type = nereid::DataType::kInvalid;
       RespondWith(request, std::move(echo));
     }},
    {"no_name",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs[0].spec = nullptr;
       RespondWith(request, std::move(echo));
     }},
    {"no_outputs",
     [](InferRequest& request, InferResponse echo) {
       echo.outputs.clear();
       RespondWith(request, std::move(echo));
     }},
    {"same_output_twice",
     [](InferRequest& request, InferResponse echo) {
       const OutputTensor twin = echo.outputs[0];
       echo.outputs.push_back(twin);
       RespondWith(request, std::move(echo));
     }},
    {"device_memory",
     [](InferRequest& request, InferResponse echo) {
       const auto& data = echo.outputs[0].data;
       echo.outputs[0].data =
           nereid::Payload(data.owner(), data.segments(), {nereid::MemoryKind::kGpu, 0});
       RespondWith(request, std::move(echo));
     }},
    {"asks_for_all_memory",
     [](InferRequest& request, InferResponse echo) {
       auto buffer = request.AllocateOutput(*echo.outputs[0].spec, size_t{1} << 50);
       if (!buffer.ok()) return request.Fail(buffer.status());
       RespondWith(request, std::move(echo));
     }},
};

class NonsenseInstance : public nereid::Instance {
 public:
  NonsenseInstance(std::shared_ptr<const nereid::ModelConfig> config, std::string fault)
      : config_(std::move(config)), fault_(std::move(fault)) {}

  absl::Status Execute(Batch& batch) override {
    if (fault_ == "returns_error") return absl::UnavailableError("the device is away");
    if (fault_ == "dies") is_healthy_ = false;
    auto answer = kAnswers.find(fault_);
    if (answer == kAnswers.end()) answer = kAnswers.find("");  // the fault is elsewhere
    for (size_t i = 0; i < batch.size(); ++i) {
      InferResponse echo = Echo(batch.request(i), *config_);
      if (fault_ == "drops") {
        batch.Take(i).reset();
        continue;
      }
      answer->second(batch.request(i), std::move(echo));
    }
    return absl::OkStatus();
  }

  bool Healthy() const override {
    if (fault_ == "throws_when_asked") throw std::runtime_error("do not ask");
    return is_healthy_;
  }

 private:
  const std::shared_ptr<const nereid::ModelConfig> config_;
  const std::string fault_;
  bool is_healthy_ = true;
};

class NonsenseModel : public nereid::Model {
 public:
  NonsenseModel(std::shared_ptr<const nereid::ModelConfig> config, std::string fault)
      : config_(std::move(config)), fault_(std::move(fault)) {}

  absl::StatusOr<std::unique_ptr<nereid::Instance>> CreateInstance(
      const nereid::InstanceContext&) override {
    if (fault_ == "throws_for_instance") throw std::runtime_error("no room");
    if (fault_ == "no_instance") return std::unique_ptr<nereid::Instance>();
    return std::make_unique<NonsenseInstance>(config_, fault_);
  }

  nereid::MemoryEstimate MemoryUsage() const override {
    if (fault_ == "throws_when_asked") throw std::runtime_error("do not ask");
    return {};
  }

 private:
  const std::shared_ptr<const nereid::ModelConfig> config_;
  const std::string fault_;
};

class NonsenseBackend : public nereid::Backend {
 public:
  static absl::StatusOr<std::unique_ptr<NonsenseBackend>> Create(const nereid::BackendContext&) {
    return std::make_unique<NonsenseBackend>();
  }

  absl::StatusOr<nereid::ConfigProposal> CompleteConfig(
      const nereid::ModelContext& context) override {
    const std::string fault = FaultOf(*context.config);
    if (fault == "throws_completing") throw std::logic_error("what model?");
    nereid::ConfigProposal proposal;
    if (fault == "proposes_nonsense") {
      proposal.max_batch_size = -7;
      nereid::TensorSpec tensor;
      tensor.dims = {-5, 0};
      proposal.inputs = {tensor};
      proposal.outputs = {tensor, tensor};
    }
    return proposal;
  }

  absl::StatusOr<std::unique_ptr<nereid::Model>> LoadModel(
      const nereid::ModelContext& context) override {
    const std::string fault = FaultOf(*context.config);
    if (fault == "throws_loading") throw std::runtime_error("the weights are gone");
    if (fault == "throws_number_loading") throw 42;
    if (fault == "fails_loading") return absl::FailedPreconditionError("not licensed");
    if (fault == "no_model") return std::unique_ptr<nereid::Model>();
    return std::make_unique<NonsenseModel>(context.config, fault);
  }

 private:
  static std::string FaultOf(const nereid::ModelConfig& config) {
    const auto found = config.parameters().find("fault");
    return found == config.parameters().end() ? "" : found->second;
  }
};

}  // namespace

NEREID_BACKEND_MODULE(NonsenseBackend)
