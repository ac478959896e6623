#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "backends/cuda/exec/executor.h"
#include "backends/cuda/ir/host_tensor.h"

namespace nereid::engine {

// Tensors of the host into the bound program's inputs, and its outputs back; both wait.
absl::Status FeedInputs(Executor& executor, absl::Span<const HostTensor> inputs);
absl::StatusOr<std::vector<HostTensor>> FetchOutputs(const Executor& executor);

// What a program gives, with memory of its own that goes again. `context` is bound.
absl::StatusOr<std::vector<HostTensor>> RunOnce(const std::shared_ptr<Context>& context,
                                                std::shared_ptr<const Program> program,
                                                absl::Span<const HostTensor> inputs);

}  // namespace nereid::engine
