#include "backends/cuda/passes/match.h"

#include <algorithm>
#include <cmath>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/passes/infer_rules.h"

namespace nereid::engine {
namespace {

constexpr int64_t kMaxScanned = 4096;

// An opened product has few factors; an endless chain is no pattern.
constexpr size_t kMaxFactors = 16;

void Open(const GraphEditor& editor, ValueId id, bool root, Factors& out) {
  if (const auto number = ScalarOf(editor, id); number.has_value()) {
    out.scalar *= *number;
    return;
  }
  const Node* node = editor.Producer(id);
  const bool opens = node != nullptr && node->domain.empty() && node->HasInput(1) &&
                     (root || editor.HasOneUse(id)) && out.values.size() < kMaxFactors;
  if (opens && node->op == "Mul") {
    Open(editor, node->inputs[0], false, out);
    Open(editor, node->inputs[1], false, out);
    return;
  }
  const auto right = opens ? ScalarOf(editor, node->inputs[1]) : std::nullopt;
  if (right.has_value() && node->op == "Div" && *right != 0) {
    out.scalar /= *right;
    Open(editor, node->inputs[0], false, out);
    return;
  }
  if (right.has_value() && node->op == "Pow" && (*right == 2 || *right == 3)) {
    out.values.insert(out.values.end(), static_cast<size_t>(*right), node->inputs[0]);
    return;
  }
  out.values.push_back(id);
}

}  // namespace

std::optional<double> ScalarOf(const GraphEditor& editor, ValueId id) {
  const HostTensor* tensor = editor.Constant(id);
  if (tensor == nullptr || tensor->type() == DataType::kBytes || tensor->element_count() < 1 ||
      tensor->element_count() > kMaxScanned) {
    return std::nullopt;
  }
  const double first = tensor->AsDouble(0);
  for (int64_t i = 1; i < tensor->element_count(); ++i) {
    if (tensor->AsDouble(i) != first) return std::nullopt;
  }
  return first;
}

bool IsNear(const GraphEditor& editor, ValueId id, double number) {
  const auto found = ScalarOf(editor, id);
  return found.has_value() && std::abs(*found - number) <= 1e-3 * std::abs(number);
}

std::optional<std::pair<ValueId, double>> SplitScalar(const GraphEditor& editor, const Node& node) {
  if (!node.HasInput(0) || !node.HasInput(1)) return std::nullopt;
  for (const size_t i : {size_t{1}, size_t{0}}) {
    const auto number = ScalarOf(editor, node.inputs[i]);
    if (!number.has_value()) continue;
    const ValueId other = node.inputs[1 - i];
    const Shape* in = KnownShape(editor, other);
    const Shape* out = KnownShape(editor, node.outputs[0]);
    if (!editor.Constant(node.inputs[i])->is_scalar_like() &&
        (in == nullptr || out == nullptr || *in != *out)) {
      continue;
    }
    if (in != nullptr && out != nullptr && in->size() != out->size()) continue;
    return std::pair(other, *number);
  }
  return std::nullopt;
}

ValueId OtherInput(const Node& node, ValueId one) {
  return node.inputs[0] == one ? node.inputs[1] : node.inputs[0];
}

bool Factors::Take(ValueId id) {
  const auto found = std::find(values.begin(), values.end(), id);
  if (found == values.end()) return false;
  values.erase(found);
  return true;
}

Factors FactorsOf(const GraphEditor& editor, ValueId id) {
  Factors out;
  Open(editor, id, true, out);
  return out;
}

std::optional<std::vector<double>> ChannelNumbers(const HostTensor* tensor, size_t rank,
                                                  int64_t channels) {
  if (tensor == nullptr || !IsFloating(tensor->type()) || tensor->shape().size() > rank) {
    return std::nullopt;
  }
  const auto count = static_cast<size_t>(channels);
  if (tensor->element_count() == 1) return std::vector<double>(count, tensor->AsDouble(0));
  const Shape& shape = tensor->shape();
  if (shape.size() + 1 < rank || tensor->element_count() != channels ||
      shape[shape.size() - (rank - 1)] != channels) {
    return std::nullopt;
  }
  std::vector<double> values(count);
  for (int64_t i = 0; i < channels; ++i) values[static_cast<size_t>(i)] = tensor->AsDouble(i);
  return values;
}

const Shape* KnownShape(const GraphEditor& editor, ValueId id) {
  if (id == kNoValue) return nullptr;
  const auto& shape = editor.value(id).shape;
  return shape.has_value() && IsKnown(*shape) ? &*shape : nullptr;
}

HostTensor MakeTensor(DataType type, const Shape& shape,
                      const std::function<double(int64_t)>& make) {
  HostTensor out(type, shape);
  for (int64_t i = 0; i < out.element_count(); ++i) {
    const double value = make(i);
    switch (type) {
      case DataType::kFp64:
        out.mutable_data<double>()[i] = value;
        break;
      case DataType::kFp16:
        out.mutable_data<uint16_t>()[i] = FloatToFp16(static_cast<float>(value));
        break;
      case DataType::kBf16:
        out.mutable_data<uint16_t>()[i] = FloatToBf16(static_cast<float>(value));
        break;
      default:
        out.mutable_data<float>()[i] = static_cast<float>(value);
    }
  }
  return out;
}

}  // namespace nereid::engine
