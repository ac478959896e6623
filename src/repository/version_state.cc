#include "repository/version_state.h"

#include <array>
#include <cstddef>

namespace nereid {
namespace {

using enum VersionState;
using Row = std::optional<VersionState>[kVersionEventCount];
constexpr std::nullopt_t kNo = std::nullopt;

// One row a state, one column an event: load, loaded, failed, unload, released.
constexpr Row kTransitions[kVersionStateCount] = {
    /* UNKNOWN     */ {kLoading, kNo, kNo, kNo, kNo},
    /* LOADING     */ {kNo, kReady, kUnavailable, kNo, kNo},
    /* READY       */ {kReady, kReady, kReady, kUnloading, kNo},
    /* UNLOADING   */ {kLoading, kNo, kNo, kNo, kUnavailable},
    /* UNAVAILABLE */ {kLoading, kNo, kNo, kNo, kNo},
};

constexpr std::array<std::string_view, kVersionStateCount> kNames = {"UNKNOWN", "LOADING", "READY",
                                                                     "UNLOADING", "UNAVAILABLE"};

}  // namespace

std::optional<VersionState> NextState(VersionState state, VersionEvent event) {
  return kTransitions[static_cast<size_t>(state)][static_cast<size_t>(event)];
}

std::string_view VersionStateName(VersionState state) { return kNames[static_cast<size_t>(state)]; }

}  // namespace nereid
