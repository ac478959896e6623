#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace nereid {

// Within this time failures count together.
inline constexpr std::chrono::seconds kFailureWindow{60};

// Adds a failure at `now` to `failures` (as ProcessState::failures), forgets those that are older
// than the window, and says whether another process may be tried: fewer than `limit` are left.
bool MayRestart(std::chrono::steady_clock::time_point now, int limit,
                std::vector<int64_t>* failures);

}  // namespace nereid
