#include "common/deferred_wakeups.h"

#include <algorithm>
#include <vector>

namespace nereid {
namespace {

struct ThreadState {
  int depth = 0;
  std::vector<std::shared_ptr<Wakeable>> pending;
};

ThreadState& State() {
  thread_local ThreadState state;
  return state;
}

}  // namespace

DeferredWakeups::Scope::Scope() { ++State().depth; }

DeferredWakeups::Scope::~Scope() {
  ThreadState& state = State();
  if (--state.depth > 0) return;
  // Index loop: Wake() of one object may note another, which must not be lost.
  for (size_t i = 0; i < state.pending.size(); ++i) {
    std::shared_ptr<Wakeable> wakeable = state.pending[i];
    wakeable->Wake();
  }
  state.pending.clear();
}

void DeferredWakeups::WakeLater(const std::shared_ptr<Wakeable>& wakeable) {
  ThreadState& state = State();
  if (state.depth == 0) {
    wakeable->Wake();
    return;
  }
  // A round touches few models: a linear search is the cheapest set.
  if (std::find(state.pending.begin(), state.pending.end(), wakeable) == state.pending.end()) {
    state.pending.push_back(wakeable);
  }
}

}  // namespace nereid
