#include "sched/batch_compatibility.h"

#include <algorithm>
#include <cstring>

#include "absl/types/span.h"

namespace nereid {
namespace {

using Input = InferRequest::Input;

const Input* InputOf(const InferRequest& request, const TensorSpec* spec) {
  for (const Input& input : request.inputs) {
    if (input.spec == spec) return &input;
  }
  return nullptr;
}

bool SameInputs(const InferRequest& a, const InferRequest& b) {
  if (a.inputs.size() != b.inputs.size()) return false;
  return std::all_of(a.inputs.begin(), a.inputs.end(),
                     [&](const Input& input) { return InputOf(b, input.spec) != nullptr; });
}

bool SameContents(const Payload& a, const Payload& b) {
  if (!a.contiguous() || !b.contiguous()) return false;
  if (!a.place().HostAccessible() || !b.place().HostAccessible()) return false;
  if (a.byte_size() != b.byte_size()) return false;
  return a.byte_size() == 0 || std::memcmp(a.data(), b.data(), a.byte_size()) == 0;
}

}  // namespace

BatchCompatibility::BatchCompatibility(const ModelConfig& config)
    : leads_with_batch_(config.max_batch_size() > 0) {
  for (const TensorSpec& spec : config.inputs()) {
    if (spec.optional) compares_presence_ = true;
    const bool is_variable = std::find(spec.dims.begin(), spec.dims.end(), -1) != spec.dims.end();
    if (spec.is_shape_tensor || (is_variable && !spec.allow_ragged_batch)) {
      compared_.push_back(&spec);
    }
  }
}

bool BatchCompatibility::MayShare(const InferRequest& a, const InferRequest& b) const {
  if (compares_presence_ && !SameInputs(a, b)) return false;
  for (const TensorSpec* spec : compared_) {
    const Input* in_a = InputOf(a, spec);
    const Input* in_b = InputOf(b, spec);
    if (in_a == nullptr && in_b == nullptr) continue;
    if (in_a == nullptr || in_b == nullptr || !Equal(*spec, *in_a, *in_b)) return false;
  }
  return true;
}

bool BatchCompatibility::Equal(const TensorSpec& spec, const Input& a, const Input& b) const {
  if (spec.is_shape_tensor) return a.shape == b.shape && SameContents(a.data, b.data);
  const size_t lead = leads_with_batch_ ? 1 : 0;
  const auto shape_a = absl::MakeConstSpan(a.shape).subspan(std::min(lead, a.shape.size()));
  const auto shape_b = absl::MakeConstSpan(b.shape).subspan(std::min(lead, b.shape.size()));
  return shape_a == shape_b;
}

}  // namespace nereid
