#include "backends/cuda/device/cuda_loss.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "common/log.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

std::atomic<bool> is_lost{false};

struct Loss {
  std::mutex mutex;
  std::string reason;                     // guarded by mutex; empty: none
  std::function<void(std::string)> tell;  // guarded by mutex
};

// Never destroyed: threads that outlive main() may ask.
Loss& TheLoss() {
  static Loss& loss = *new Loss;
  return loss;
}

}  // namespace

bool IsCudaLost() { return is_lost.load(std::memory_order_acquire); }

absl::Status CudaLost() {
  if (!IsCudaLost()) return absl::OkStatus();
  const std::lock_guard lock(TheLoss().mutex);
  return absl::UnavailableError(TheLoss().reason);
}

void WhenCudaIsLost(std::function<void(std::string reason)> tell) {
  std::string reason;
  {
    const std::lock_guard lock(TheLoss().mutex);
    reason = TheLoss().reason;
    if (reason.empty()) TheLoss().tell = std::move(tell);
  }
  if (!reason.empty()) tell(std::move(reason));
}

void SetCudaLost(int ordinal, CUresult result, const char* call) {
  const std::string reason =
      StrCat("GPU ", ordinal, " has failed (", Message(CudaStatus(result, call)),
             "); CUDA gives this process nothing more until it is restarted");
  std::function<void(std::string)> tell;
  {
    const std::lock_guard lock(TheLoss().mutex);
    if (!TheLoss().reason.empty()) return;
    TheLoss().reason = reason;
    tell = std::exchange(TheLoss().tell, nullptr);
    is_lost.store(true, std::memory_order_release);
  }
  NLOG(Error) << reason;
  if (tell) tell(reason);
}

}  // namespace nereid::engine
