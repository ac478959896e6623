#include <cmath>
#include <numbers>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Operators that make tensors out of little.

const HostTensor* TensorAttribute(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? nullptr : std::get_if<HostTensor>(&found->second);
}

Results Constant(const Call& call) {
  const HostTensor* value = TensorAttribute(call.node, "value");
  if (value == nullptr) return Refuse("it has no value");
  return One(*value);
}

Results ConstantOfShape(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> extents, call.Integers(0));
  const Shape shape(extents.begin(), extents.end());
  NEREID_RETURN_IF_ERROR(CountOf(shape).status());
  const HostTensor* value = TensorAttribute(call.node, "value");
  if (value == nullptr) return One(Zeros(DataType::kFp32, shape));
  if (value->element_count() != 1) return Refuse("its value is not a scalar");
  return One(CopyStrided(*value, 0, shape, Strides(shape.size(), 0)));
}

Results Range(const Call& call) {
  const DataType type = call.In(0).type();
  for (const HostTensor* input : call.inputs) {
    if (input->element_count() != 1 || input->type() != type) {
      return Refuse("the limits are not three scalars of one type");
    }
  }
  return VisitCompute(type, [&]<typename C>() -> Results {
    const C start = Read<C>(call.In(0))[0];
    const C limit = Read<C>(call.In(1))[0];
    const C delta = Read<C>(call.In(2))[0];
    if (delta == C{0}) return Refuse("delta is 0");
    const double steps = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                   static_cast<double>(delta));
    if (!(steps <= static_cast<double>(kMaxElements))) return Refuse("there would be ", steps);
    std::vector<C> values(steps > 0 ? static_cast<size_t>(steps) : 0);
    for (size_t i = 0; i < values.size(); ++i) values[i] = start + static_cast<C>(i) * delta;
    const Shape shape = {static_cast<int64_t>(values.size())};
    return One(Write(type, shape, values));
  });
}

Results OneHot(const Call& call) {
  const HostTensor& indices = call.In(0);
  const HostTensor& values = call.In(2);
  if (call.In(1).element_count() != 1 || call.In(1).type() == DataType::kBytes) {
    return Refuse("depth is not a number");
  }
  const int64_t depth = call.In(1).AsInt64(0);
  if (depth < 1) return Refuse("depth is ", depth);
  if (values.element_count() != 2) return Refuse("values has not two elements");
  if (indices.type() == DataType::kBytes) return Refuse("the indices are strings");
  NEREID_ASSIGN_OR_RETURN(const size_t axis,
                          AxisOf(call.node.Int("axis", -1), indices.shape().size() + 1));
  Shape shape = indices.shape();
  shape.insert(shape.begin() + static_cast<long>(axis), depth);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const AxisView view = ViewAlong(shape, axis);
  std::vector<int64_t> from(static_cast<size_t>(count), 0);
  ForEachLine(view, [&](size_t line, size_t base) {
    int64_t hot = indices.AsInt64(static_cast<int64_t>(line));
    if (hot < 0) hot += depth;
    if (hot >= 0 && hot < depth) from[base + static_cast<size_t>(hot * view.inner)] = 1;
  });
  return One(Take(values, shape, from));
}

Results EyeLike(const Call& call) {
  const Shape& shape = call.ShapeOf(0);
  if (shape.size() != 2) return Refuse("the input is no matrix");
  const DataType wanted = FromOnnxType(call.node.Int("dtype", 0));
  const int64_t k = call.node.Int("k", 0);
  std::vector<int64_t> values(static_cast<size_t>(Product(shape)));
  ForEachIndex(shape, [&](int64_t i, const Strides& index) {
    values[static_cast<size_t>(i)] = index[1] - index[0] == k ? 1 : 0;
  });
  return One(Write(wanted == DataType::kInvalid ? call.In(0).type() : wanted, shape, values));
}

// Σ a_k cos(2πki / n), k = 0, 1, 2
Results CosineWindow(const Call& call, double a0, double a1, double a2) {
  NEREID_ASSIGN_OR_RETURN(const int64_t size, call.Integer(0));
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf({size}));
  const DataType type = FromOnnxType(call.node.Int("output_datatype", 1));
  if (type == DataType::kInvalid || type == DataType::kBytes) return Refuse("output_datatype");
  const bool periodic = call.node.Int("periodic", 1) != 0;
  const auto n = static_cast<double>(periodic ? size : size - 1);
  std::vector<double> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    const double angle = n == 0 ? 0 : 2 * std::numbers::pi * static_cast<double>(i) / n;
    values[i] = a0 + a1 * std::cos(angle) + a2 * std::cos(2 * angle);
  }
  return One(Write(type, {size}, values));
}

constexpr OperatorRow kOperators[] = {
    {"BlackmanWindow", [](const Call& call) { return CosineWindow(call, 0.42, -0.5, 0.08); }, 1},
    {"Constant", Constant, 0},
    {"ConstantOfShape", ConstantOfShape, 1},
    {"EyeLike", EyeLike, 1},
    {"HammingWindow", [](const Call& call) { return CosineWindow(call, 25.0 / 46, -21.0 / 46, 0); },
     1},
    {"HannWindow", [](const Call& call) { return CosineWindow(call, 0.5, -0.5, 0); }, 1},
    {"OneHot", OneHot, 3, Accepts::kAnything},
    {"Range", Range, 3},
};

}  // namespace

absl::Span<const OperatorRow> GeneratorOperators() { return kOperators; }

}  // namespace nereid::engine
