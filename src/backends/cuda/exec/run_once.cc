#include "backends/cuda/exec/run_once.h"

#include <utility>

#include "common/status_macros.h"

namespace nereid::engine {

absl::Status FeedInputs(Executor& executor, absl::Span<const HostTensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (executor.program().inputs()[i].slot != kOnDevice) {
      executor.SetHostInput(i, inputs[i]);
      continue;
    }
    NEREID_RETURN_IF_ERROR(executor.stream().CopyToDevice(executor.input(i), inputs[i].bytes(),
                                                          inputs[i].byte_size()));
  }
  return executor.stream().Synchronize();
}

absl::StatusOr<std::vector<HostTensor>> FetchOutputs(const Executor& executor) {
  std::vector<HostTensor> outputs;
  for (size_t i = 0; i < executor.program().outputs().size(); ++i) {
    const ProgramTensor& tensor = executor.program().outputs()[i];
    if (tensor.slot != kOnDevice) {
      outputs.push_back(executor.host_output(i));
      continue;
    }
    HostTensor& output = outputs.emplace_back(tensor.type, tensor.shape);
    NEREID_RETURN_IF_ERROR(executor.stream().CopyToHost(output.mutable_data<std::byte>(),
                                                        executor.output(i), tensor.byte_size));
  }
  NEREID_RETURN_IF_ERROR(executor.stream().Synchronize());
  return outputs;
}

absl::StatusOr<std::vector<HostTensor>> RunOnce(const std::shared_ptr<Context>& context,
                                                std::shared_ptr<const Program> program,
                                                absl::Span<const HostTensor> inputs) {
  Executor::Options options;
  options.capture_graphs = false;
  NEREID_ASSIGN_OR_RETURN(const auto executor, Executor::Create(context, options));
  NEREID_RETURN_IF_ERROR(executor->Bind(std::move(program)));
  NEREID_RETURN_IF_ERROR(FeedInputs(*executor, inputs));
  NEREID_RETURN_IF_ERROR(executor->RunEagerly());
  return FetchOutputs(*executor);
}

}  // namespace nereid::engine
