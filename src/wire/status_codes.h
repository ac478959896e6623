#pragma once

#include "absl/status/status.h"

namespace nereid {

// What each canonical code is called by the two protocols. The classes of the protocol come first;
// codes outside them get the number that a client expects.

// 200 for OK, an error status otherwise.
int HttpStatusOf(absl::StatusCode code);

// The number of the gRPC code.
int GrpcCodeOf(absl::StatusCode code);

}  // namespace nereid
