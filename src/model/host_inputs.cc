#include "model/host_inputs.h"

#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "memory/copy.h"

namespace nereid {
namespace {

absl::Status BringToHost(InferRequest& request) {
  for (InferRequest::Input& input : request.inputs) {
    if (input.data.place().HostAccessible()) continue;
    NEREID_ASSIGN_OR_RETURN(input.data, ToHost(std::move(input.data)));
  }
  return absl::OkStatus();
}

}  // namespace

void BringInputsToHost(Batch& batch) {
  for (size_t i = batch.size(); i-- > 0;) {
    absl::Status status = BringToHost(batch.request(i));
    if (status.ok()) continue;
    const std::unique_ptr<InferRequest> request = batch.Remove(i);
    request->Fail(std::move(status));
  }
}

}  // namespace nereid
