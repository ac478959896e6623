#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace nereid::ort {

// The wall of ONNX Runtime: runs `call` and turns what it throws into a status. Errors of the
// library become INTERNAL "onnx runtime error <code>: <text>".
absl::Status CatchOrt(absl::FunctionRef<absl::Status()> call) noexcept;

}  // namespace nereid::ort
