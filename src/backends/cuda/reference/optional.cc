#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Optionals of tensors: an empty one is a value that is left out.

Results HasElement(const Call& call) {
  return One(HostTensor::Of<uint8_t>(DataType::kBool, {}, {call.Has(0)}));
}

Results Element(const Call& call) { return One(call.In(0)); }

constexpr OperatorRow kOperators[] = {
    {"Optional", Element, 1, Accepts::kAnything},
    {"OptionalGetElement", Element, 1, Accepts::kAnything},
    {"OptionalHasElement", HasElement, 0, Accepts::kAnything},
};

}  // namespace

absl::Span<const OperatorRow> OptionalOperators() { return kOperators; }

}  // namespace nereid::engine
