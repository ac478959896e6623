#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace nereid::engine {

// A test that passed. The file has one line each, sorted: "name", or "name host: Op Op" where the
// reference executor ran operators; lines that begin with # are comments.
using PassList = std::map<std::string, std::set<std::string>>;  // operators on the host, by test

absl::StatusOr<PassList> ReadPassList(const std::string& path);
absl::Status WritePassList(const std::string& path, const std::string& comment,
                           const PassList& passed);

// What got worse, a line each: a listed test that does not pass any more, or has operators on the
// host that it had not. Tests not in `tests` (the names that were run) are not looked at.
std::vector<std::string> DropsOf(const PassList& listed, const PassList& passed,
                                 const std::set<std::string>& tests);

}  // namespace nereid::engine
