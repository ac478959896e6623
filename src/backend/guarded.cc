#include "backend/guarded.h"

#include <exception>
#include <utility>

#include "common/log.h"
#include "common/strings.h"

namespace nereid {
namespace {

absl::Status Unexpected(std::string_view what, std::string_view text) {
  absl::Status status = absl::InternalError(StrCat(what, ": unexpected exception: ", text));
  NLOG(Error) << status.message();
  return status;
}

// Runs `call`, which returns StatusOr<T>, and keeps its result.
template <typename T, typename Call>
absl::StatusOr<T> Guarded(std::string_view what, Call call) noexcept {
  absl::StatusOr<T> result;
  absl::Status status = CatchExceptions(what, [&] {
    result = call();
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return result;
}

template <typename T>
absl::Status CheckPresent(std::string_view what, const absl::StatusOr<T>& result) {
  if (!result.ok()) return result.status();
  if (*result != nullptr) return absl::OkStatus();
  return absl::InternalError(StrCat(what, ": the backend returned nothing and no error"));
}

}  // namespace

absl::Status CatchExceptions(std::string_view what,
                             absl::FunctionRef<absl::Status()> call) noexcept {
  try {
    return call();
  } catch (const std::exception& exception) {
    return Unexpected(what, exception.what());
  } catch (...) {
    return Unexpected(what, "of unknown type");
  }
}

absl::StatusOr<ConfigProposal> GuardedCompleteConfig(Backend& backend,
                                                     const ModelContext& context) noexcept {
  return Guarded<ConfigProposal>("completing the model configuration",
                                 [&] { return backend.CompleteConfig(context); });
}

absl::StatusOr<MemoryEstimate> GuardedEstimateMemory(Backend& backend,
                                                     const ModelContext& context) noexcept {
  return Guarded<MemoryEstimate>("estimating memory",
                                 [&] { return backend.EstimateMemory(context); });
}

absl::StatusOr<std::shared_ptr<Model>> GuardedLoadModel(std::shared_ptr<Backend> backend,
                                                        const ModelContext& context) noexcept {
  constexpr std::string_view kWhat = "loading the model";
  auto model = Guarded<std::unique_ptr<Model>>(kWhat, [&] { return backend->LoadModel(context); });
  if (absl::Status status = CheckPresent(kWhat, model); !status.ok()) return status;
  // The deleter holds the backend, and lets go of it after the model.
  return std::shared_ptr<Model>(model->release(),
                                [backend = std::move(backend)](Model* loaded) { delete loaded; });
}

absl::StatusOr<std::unique_ptr<Instance>> GuardedCreateInstance(
    Model& model, const InstanceContext& context) noexcept {
  constexpr std::string_view kWhat = "creating an instance";
  auto instance =
      Guarded<std::unique_ptr<Instance>>(kWhat, [&] { return model.CreateInstance(context); });
  if (absl::Status status = CheckPresent(kWhat, instance); !status.ok()) return status;
  return instance;
}

absl::Status GuardedExecute(Instance& instance, Batch& batch) noexcept {
  return CatchExceptions("executing a batch", [&] { return instance.Execute(batch); });
}

bool GuardedHealthy(const Instance& instance) noexcept {
  bool healthy = false;
  absl::Status status = CatchExceptions("asking for health", [&] {
    healthy = instance.Healthy();
    return absl::OkStatus();
  });
  return status.ok() && healthy;
}

MemoryEstimate GuardedMemoryUsage(const Model& model) noexcept {
  MemoryEstimate usage;
  (void)CatchExceptions("asking for memory usage", [&] {
    usage = model.MemoryUsage();
    return absl::OkStatus();
  });
  return usage;
}

}  // namespace nereid
