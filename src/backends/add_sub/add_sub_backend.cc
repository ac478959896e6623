#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "backend/output_shape.h"
#include "backend/scratch.h"
#include "backends/add_sub/arithmetic.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "nereid/backend.h"

namespace nereid::add_sub {
namespace {

struct Tensors {
  std::array<const TensorSpec*, 2> inputs{};
  std::array<const TensorSpec*, 2> outputs{};  // sum, difference
};

// The bytes of one input in one piece.
absl::StatusOr<const std::byte*> OnePiece(const InferRequest::Input& input, Scratch& scratch) {
  if (!input.data.place().HostAccessible()) {
    return absl::UnimplementedError(
        StrCat("input '", input.name, "' lies in GPU memory, which this backend cannot read"));
  }
  if (input.data.contiguous()) return input.data.data();
  NEREID_ASSIGN_OR_RETURN(std::byte * copy, scratch.Reserve(input.data.byte_size()));
  input.data.CopyTo(copy);
  return copy;
}

class AddSubInstance : public Instance {
 public:
  AddSubInstance(const Tensors& tensors, bool model_batches)
      : tensors_(tensors),
        model_batches_(model_batches),
        element_(ElementByteSize(tensors.inputs[0]->data_type)),
        function_(AddSubFor(tensors.inputs[0]->data_type)) {}

  absl::Status Execute(Batch& batch) override {
    batch.MarkComputeStart();
    absl::InlinedVector<absl::StatusOr<InferResponse>, 4> responses;
    for (size_t i = 0; i < batch.size(); ++i) {
      responses.push_back(batch.Has(i) ? Compute(batch.request(i)) : InferResponse{});
    }
    batch.MarkComputeEnd();
    batch.MarkExecEnd();
    for (size_t i = 0; i < batch.size(); ++i) {
      if (!batch.Has(i)) continue;
      responses[i].ok() ? batch.request(i).Respond(*std::move(responses[i]))
                        : batch.request(i).Fail(responses[i].status());
    }
    return absl::OkStatus();
  }

 private:
  struct Operands {
    std::array<const InferRequest::Input*, 2> inputs{};
    std::array<const std::byte*, 2> data{};
    size_t byte_size = 0;
  };

  absl::StatusOr<Operands> FindOperands(const InferRequest& request) {
    Operands operands;
    for (size_t i = 0; i < 2; ++i) {
      const InferRequest::Input* input = request.FindInput(tensors_.inputs[i]->name);
      if (input == nullptr) return absl::InternalError("an input is missing");
      NEREID_ASSIGN_OR_RETURN(operands.data[i], OnePiece(*input, scratch_[i]));
      operands.inputs[i] = input;
    }
    const auto& [left, right] = operands.inputs;
    operands.byte_size = left->data.byte_size();
    if (left->shape == right->shape && right->data.byte_size() == operands.byte_size) {
      return operands;
    }
    return absl::InvalidArgumentError(StrCat("INPUT0 and INPUT1 must have the same shape, got ",
                                             ShapeToString(left->shape), " and ",
                                             ShapeToString(right->shape)));
  }

  // Adds the output to the response and returns its block.
  absl::StatusOr<std::byte*> AddOutput(InferRequest& request, const TensorSpec& spec,
                                       const Operands& operands, InferResponse& response) const {
    NEREID_ASSIGN_OR_RETURN(Buffer buffer, request.AllocateOutput(spec, operands.byte_size));
    if (!buffer.place().HostAccessible()) {
      return absl::UnimplementedError(StrCat(
          "output '", spec.name, "' is wanted in GPU memory, which this backend cannot write"));
    }
    NEREID_ASSIGN_OR_RETURN(Shape shape,
                            ClientShape(spec, operands.inputs[0]->shape, model_batches_));
    response.outputs.push_back({&spec, spec.data_type, std::move(shape), Payload(buffer)});
    return buffer.data();
  }

  absl::StatusOr<InferResponse> Compute(InferRequest& request) {
    NEREID_ASSIGN_OR_RETURN(const Operands operands, FindOperands(request));
    InferResponse response;
    std::array<std::byte*, 2> out{};
    for (size_t i = 0; i < 2; ++i) {
      const TensorSpec& spec = *tensors_.outputs[i];
      if (!request.WantsOutput(spec)) continue;
      NEREID_ASSIGN_OR_RETURN(out[i], AddOutput(request, spec, operands, response));
    }
    function_(operands.data[0], operands.data[1], operands.byte_size / element_, out[0], out[1]);
    return response;
  }

  const Tensors tensors_;
  const bool model_batches_;
  const size_t element_;
  const AddSub function_;
  std::array<Scratch, 2> scratch_;
};

absl::StatusOr<Tensors> FindTensors(const ModelConfig& config) {
  Tensors tensors;
  if (config.inputs().size() != 2 || config.outputs().size() != 2) {
    return absl::InvalidArgumentError(
        StrCat("model '", config.name(), "' must have two inputs and two outputs"));
  }
  for (int i = 0; i < 2; ++i) {
    tensors.inputs[i] = config.FindInput(StrCat("INPUT", i));
    tensors.outputs[i] = config.FindOutput(StrCat("OUTPUT", i));
    for (const TensorSpec* spec : {tensors.inputs[i], tensors.outputs[i]}) {
      if (spec == nullptr) {
        return absl::InvalidArgumentError(
            StrCat("model '", config.name(),
                   "' must have the tensors INPUT0, INPUT1, OUTPUT0 and OUTPUT1"));
      }
      if (spec->data_type != tensors.inputs[0]->data_type ||
          spec->backend_dims() != tensors.inputs[0]->backend_dims()) {
        return absl::InvalidArgumentError(StrCat("model '", config.name(), "': '", spec->name,
                                                 "' must have the type and extents of 'INPUT0'"));
      }
    }
  }
  return tensors;
}

class AddSubModel : public Model {
 public:
  AddSubModel(std::shared_ptr<const ModelConfig> config, const Tensors& tensors)
      : config_(std::move(config)), tensors_(tensors) {}

  absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(const InstanceContext&) override {
    return std::make_unique<AddSubInstance>(tensors_, config_->max_batch_size() > 0);
  }

 private:
  const std::shared_ptr<const ModelConfig> config_;
  const Tensors tensors_;
};

class AddSubBackend : public Backend {
 public:
  static absl::StatusOr<std::unique_ptr<AddSubBackend>> Create(const BackendContext&) {
    return std::make_unique<AddSubBackend>();
  }

  absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelContext& context) override {
    NEREID_ASSIGN_OR_RETURN(Tensors tensors, FindTensors(*context.config));
    const DataType type = tensors.inputs[0]->data_type;
    if (AddSubFor(type) == nullptr) {
      return absl::InvalidArgumentError(StrCat("model '", context.config->name(),
                                               "': there is no arithmetic on ", ConfigName(type)));
    }
    return std::make_unique<AddSubModel>(context.config, tensors);
  }
};

}  // namespace
}  // namespace nereid::add_sub

NEREID_BACKEND_MODULE(nereid::add_sub::AddSubBackend)
