#include "backends/onnxruntime/ort_status.h"

#include <onnxruntime_cxx_api.h>

#include <exception>
#include <new>

#include "common/strings.h"

namespace nereid::ort {

absl::Status CatchOrt(absl::FunctionRef<absl::Status()> call) noexcept {
  try {
    return call();
  } catch (const Ort::Exception& error) {
    return absl::InternalError(StrCat(
        "onnx runtime error ", static_cast<int>(error.GetOrtErrorCode()), ": ", error.what()));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of host memory");
  } catch (const std::exception& error) {
    return absl::InternalError(StrCat("onnx runtime: unexpected exception: ", error.what()));
  }
}

}  // namespace nereid::ort
