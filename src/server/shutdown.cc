#include "server/shutdown.h"

#include <algorithm>
#include <thread>

#include "common/log.h"

namespace nereid {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kStep{2};
constexpr std::chrono::seconds kReportInterval{1};

// The time left of a shutdown, and when to report again.
class Budget {
 public:
  explicit Budget(std::chrono::milliseconds timeout) : deadline_(SteadyClock::now() + timeout) {}

  bool Expired() const { return SteadyClock::now() >= deadline_; }
  // Whole seconds left, rounded up.
  int64_t SecondsLeft() const {
    const auto left = std::max(deadline_ - SteadyClock::now(), SteadyClock::duration::zero());
    return std::chrono::ceil<std::chrono::seconds>(left).count();
  }
  // True at the first call, then once an interval.
  bool ReportDue() {
    const SteadyClock::time_point now = SteadyClock::now();
    if (now < next_report_) return false;
    next_report_ = now + kReportInterval;
    return true;
  }
  void Restart() { next_report_ = {}; }
  SteadyClock::time_point NextStep() const {
    return std::min(SteadyClock::now() + kStep, deadline_);
  }

 private:
  const SteadyClock::time_point deadline_;
  SteadyClock::time_point next_report_;
};

void ReportInFlight(const std::vector<InFlightVersion>& versions, int64_t seconds_left) {
  NLOG(Info) << "Timeout " << seconds_left << ": Found " << versions.size()
             << " model versions that have in-flight inferences";
  for (const InFlightVersion& version : versions) {
    NLOG(Info) << "Model '" << version.name << "' (version " << version.version << ") has "
               << version.in_flight << " in-flight inferences";
  }
}

bool WaitForRequests(const ModelRepository& repository, Budget& budget) {
  for (;;) {
    const std::vector<InFlightVersion> busy = repository.lifecycle().InFlight();
    if (budget.ReportDue()) ReportInFlight(busy, budget.SecondsLeft());
    if (busy.empty()) return true;
    if (budget.Expired()) return false;
    std::this_thread::sleep_until(budget.NextStep());
  }
}

bool WaitForModels(const ModelRepository& repository, Budget& budget) {
  budget.Restart();
  for (;;) {
    const int64_t live = repository.lifecycle().LiveCount();
    const int64_t operations = repository.OperationCount();
    if (budget.ReportDue()) {
      NLOG(Info) << "Timeout " << budget.SecondsLeft() << ": Found " << live << " live models and "
                 << operations << " in-flight non-inference requests";
    }
    if (live == 0 && operations == 0) return true;
    if (budget.Expired()) return false;
    if (repository.lifecycle().WaitUntilNoneLive(budget.NextStep())) {
      std::this_thread::sleep_until(operations == 0 ? SteadyClock::now() : budget.NextStep());
    }
  }
}

}  // namespace

absl::Status DrainRepository(ModelRepository& repository, std::chrono::milliseconds timeout) {
  const absl::Status expired = absl::InternalError("Exit timeout expired. Exiting immediately.");
  Budget budget(timeout);
  NLOG(Info) << "Waiting for in-flight requests to complete.";
  repository.BeginShutdown();
  // What waits in a queue for company need not wait any longer.
  repository.lifecycle().CloseAll();
  if (!WaitForRequests(repository, budget)) return expired;
  NLOG(Info) << "All models are stopped, unloading models";
  repository.UnloadAll();
  return WaitForModels(repository, budget) ? absl::OkStatus() : expired;
}

}  // namespace nereid
