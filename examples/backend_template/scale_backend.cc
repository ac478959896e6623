// A complete backend in one file: Y = X * factor, for FP32 tensors of any shape. `factor` is a
// parameter of the model's configuration. Copy this project and replace what is marked (1) to (4).

#include <nereid/backend.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

// (1) Does the work. The server makes one for each instance of the model and calls it from one
// thread, so that it can keep buffers, streams and handles without locks.
class ScaleInstance : public nereid::Instance {
 public:
  ScaleInstance(const nereid::TensorSpec& output, float factor)
      : output_(output), factor_(factor) {}

  // Requests come in batches; each is answered once. Those left unanswered when a status comes back
  // are answered with it.
  absl::Status Execute(nereid::Batch& batch) override {
    batch.MarkComputeStart();
    std::vector<absl::StatusOr<nereid::InferResponse>> responses;
    for (size_t i = 0; i < batch.size(); ++i) responses.push_back(Scale(batch.request(i)));
    batch.MarkComputeEnd();
    batch.MarkExecEnd();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (responses[i].ok()) {
        batch.request(i).Respond(*std::move(responses[i]));
      } else {
        batch.request(i).Fail(responses[i].status());  // only this one; the others are served
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<nereid::InferResponse> Scale(nereid::InferRequest& request) {
    const nereid::InferRequest::Input* input = request.FindInput("X");
    if (input == nullptr) return absl::InvalidArgumentError("there is no input 'X'");
    nereid::InferResponse response;
    if (!request.WantsOutput(output_)) return response;

    // The response's own memory. Where the input arrived in several pieces, or at an odd address,
    // copying it there also puts it into one aligned piece.
    const size_t byte_size = input->data.byte_size();
    absl::StatusOr<nereid::Buffer> buffer = request.AllocateOutput(output_, byte_size);
    if (!buffer.ok()) return buffer.status();
    if (!buffer->place().HostAccessible() || !input->data.place().HostAccessible()) {
      return absl::UnimplementedError("this backend works in host memory only");
    }
    input->data.CopyTo(buffer->data());
    auto* values = reinterpret_cast<float*>(buffer->data());
    for (size_t i = 0; i < byte_size / sizeof(float); ++i) values[i] *= factor_;

    response.outputs.push_back(
        {&output_, input->data_type, input->shape, nereid::Payload(*buffer)});
    return response;
  }

  const nereid::TensorSpec& output_;
  const float factor_;
};

// (2) What the instances of one model version share; here a number, elsewhere weights. Any thread.
class ScaleModel : public nereid::Model {
 public:
  ScaleModel(std::shared_ptr<const nereid::ModelConfig> config, float factor)
      : config_(std::move(config)), factor_(factor) {}

  absl::StatusOr<std::unique_ptr<nereid::Instance>> CreateInstance(
      const nereid::InstanceContext&) override {
    return std::make_unique<ScaleInstance>(*config_->FindOutput("Y"), factor_);
  }

 private:
  const std::shared_ptr<const nereid::ModelConfig> config_;
  const float factor_;
};

// (3) One for the process, made when the first model needs it.
class ScaleBackend : public nereid::Backend {
 public:
  static absl::StatusOr<std::unique_ptr<ScaleBackend>> Create(const nereid::BackendContext&) {
    return std::make_unique<ScaleBackend>();
  }

  // What a configuration may leave out. Here everything but the backend's name.
  absl::StatusOr<nereid::ConfigProposal> CompleteConfig(const nereid::ModelContext&) override {
    nereid::TensorSpec tensor;
    tensor.data_type = nereid::DataType::kFp32;
    tensor.dims = {-1};
    nereid::ConfigProposal proposal;
    tensor.name = "X";
    proposal.inputs = {tensor};
    tensor.name = "Y";
    proposal.outputs = {tensor};
    return proposal;
  }

  absl::StatusOr<std::unique_ptr<nereid::Model>> LoadModel(
      const nereid::ModelContext& context) override {
    const nereid::ModelConfig& config = *context.config;
    for (const nereid::TensorSpec* tensor : {config.FindInput("X"), config.FindOutput("Y")}) {
      if (tensor == nullptr || tensor->data_type != nereid::DataType::kFp32) {
        return absl::InvalidArgumentError("the model must have FP32 tensors X and Y");
      }
    }
    float factor = 1;
    if (auto found = config.parameters().find("factor"); found != config.parameters().end()) {
      char* end = nullptr;
      factor = std::strtof(found->second.c_str(), &end);
      if (found->second.empty() || *end != '\0') {
        return absl::InvalidArgumentError("parameter 'factor' must be a number");
      }
    }
    return std::make_unique<ScaleModel>(context.config, factor);
  }
};

}  // namespace

// (4) The one symbol that the server looks for.
NEREID_BACKEND_MODULE(ScaleBackend)
