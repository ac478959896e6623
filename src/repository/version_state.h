#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nereid {

// The life of one version of a model, as the repository index tells it.
//
//   UNKNOWN ──load──▶ LOADING ──loaded──▶ READY ──unload──▶ UNLOADING ──released──▶ UNAVAILABLE
//                       │  ▲               │ ▲                  │                      │
//                       │  └───────────────┼─┼──── load ────────┴──────── load ────────┘
//                       └──failed──▶ UNAVAILABLE
//
// A READY version that is loaded again stays READY: what it serves is exchanged when the new one
// has loaded, or stays when that fails.
enum class VersionState : uint8_t { kUnknown, kLoading, kReady, kUnloading, kUnavailable };
inline constexpr int kVersionStateCount = 5;

enum class VersionEvent : uint8_t {
  kLoad,      // its files begin to load
  kLoaded,    // it can serve and takes its place
  kFailed,    // the load failed or was dropped
  kUnload,    // it leaves the serving map; requests may still be running
  kReleased,  // its last request is done and its memory is gone
};
inline constexpr int kVersionEventCount = 5;

// The state after `event`, or nothing when the event cannot happen in `state`.
std::optional<VersionState> NextState(VersionState state, VersionEvent event);

// "READY", as clients see it.
std::string_view VersionStateName(VersionState state);

// The reason of a version that was unloaded on request: it does not spoil readiness.
inline constexpr std::string_view kUnloadedReason = "unloaded";

}  // namespace nereid
