#pragma once

#include <memory>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nereid/backend.h"

namespace nereid {

// Calls into backends go through here: an exception becomes INTERNAL, and a success without a
// result becomes an error. Nothing else is changed; no locks are taken.

// Runs `call`; an exception becomes INTERNAL "<what>: unexpected exception: <text>" and is logged.
absl::Status CatchExceptions(std::string_view what,
                             absl::FunctionRef<absl::Status()> call) noexcept;

absl::StatusOr<ConfigProposal> GuardedCompleteConfig(Backend& backend,
                                                     const ModelContext& context) noexcept;
absl::StatusOr<MemoryEstimate> GuardedEstimateMemory(Backend& backend,
                                                     const ModelContext& context) noexcept;
// The model keeps `backend` alive.
absl::StatusOr<std::shared_ptr<Model>> GuardedLoadModel(std::shared_ptr<Backend> backend,
                                                        const ModelContext& context) noexcept;
// The model must outlive the instance.
absl::StatusOr<std::unique_ptr<Instance>> GuardedCreateInstance(
    Model& model, const InstanceContext& context) noexcept;
// Requests left unanswered are the caller's, see Batch.
absl::Status GuardedExecute(Instance& instance, Batch& batch) noexcept;
// False, too, when asking fails.
bool GuardedHealthy(const Instance& instance) noexcept;
// Empty when asking fails.
MemoryEstimate GuardedMemoryUsage(const Model& model) noexcept;

}  // namespace nereid
