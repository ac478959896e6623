#include "sched/refusal.h"

#include <string>

#include "common/strings.h"
#include "infer/request_validator.h"

namespace nereid {
namespace {

struct RefusalText {
  absl::StatusCode code;
  bool has_prefix;
  const char* text;
};

// In the order of Refusal.
constexpr RefusalText kTexts[] = {
    {absl::StatusCode::kUnavailable, true,
     "Server is stopping, scheduler for model has stopped accepting new inference requests"},
    {absl::StatusCode::kUnavailable, true, "Exceeds maximum queue size"},
    {absl::StatusCode::kUnavailable, false, "Request timeout expired"},
    {absl::StatusCode::kCancelled, true, "Request was cancelled before it was executed"},
    {absl::StatusCode::kDeadlineExceeded, true,
     "Deadline of the request passed before it was executed"},
};

}  // namespace

absl::Status RefusalStatus(Refusal refusal, const InferRequest& request) {
  const RefusalText& row = kTexts[static_cast<size_t>(refusal)];
  const std::string prefix = row.has_prefix ? RequestIdPrefix(request) : std::string();
  return absl::Status(row.code, StrCat(prefix, row.text));
}

std::optional<Refusal> FindRefusal(const InferRequest& request, TimePoint now) {
  if (request.IsCancelled()) return Refusal::kCancelled;
  if (now >= request.deadline) return Refusal::kDeadline;
  return std::nullopt;
}

void RefuseAtDoor(InferRequest& request, Refusal refusal) {
  const bool was_turned_away = refusal == Refusal::kClosed || refusal == Refusal::kQueueFull;
  if (was_turned_away) request.timeline.queued = TimePoint();
  request.Fail(RefusalStatus(refusal, request));
}

void AnswerRefused(RefusedRequests& refused) {
  for (RefusedRequest& one : refused) {
    one.request->Fail(RefusalStatus(one.reason, *one.request));
  }
  refused.clear();
}

}  // namespace nereid
