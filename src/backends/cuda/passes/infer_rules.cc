#include "backends/cuda/passes/infer_rules.h"

#include <algorithm>
#include <map>
#include <string>

#include "common/status_macros.h"

namespace nereid::engine {
namespace {

constexpr absl::Span<const InferRow> (*kFamilies[])() = {
    ElementwiseShapes, FittedShapes, LayoutShapes, WindowShapes,
    MatrixShapes,      IndexShapes,  OtherShapes,  SignalShapes,
};

const InferRow* FindRow(const Node& node) {
  static const auto& table = *[] {
    auto* rows = new std::map<std::string_view, const InferRow*>;
    for (const auto family : kFamilies) {
      for (const InferRow& row : family()) rows->emplace(row.op, &row);
    }
    return rows;
  }();
  const auto found = table.find(node.domain.empty() ? node.op : StrCat(node.domain, ".", node.op));
  return found == table.end() ? nullptr : found->second;
}

}  // namespace

DataType InferContext::Type(size_t i) const {
  return Has(i) ? graph_.value(node.inputs[i]).type : DataType::kInvalid;
}

const Shape* InferContext::In(size_t i) const {
  if (!Has(i)) return nullptr;
  const auto& shape = graph_.value(node.inputs[i]).shape;
  return shape.has_value() ? &*shape : nullptr;
}

absl::Status InferContext::CheckShape(size_t i, absl::Span<const int64_t> wanted) const {
  const Shape* shape = In(i);
  if (shape == nullptr || Fits(*shape, wanted)) return absl::OkStatus();
  return Error("input ", i, " is ", ShapeToString(*shape), ", not ", ShapeToString(wanted));
}

const HostTensor* InferContext::Constant(size_t i) const {
  if (!Has(i) || !graph_.value(node.inputs[i]).is_constant()) return nullptr;
  return &*graph_.value(node.inputs[i]).constant;
}

std::optional<std::vector<int64_t>> InferContext::Ints(size_t i) const {
  const HostTensor* constant = Constant(i);
  if (constant == nullptr ||
      (constant->type() != DataType::kInt64 && constant->type() != DataType::kInt32)) {
    return std::nullopt;
  }
  return constant->AsInt64Vector();
}

absl::StatusOr<std::vector<int64_t>> InferContext::IntsAttribute(std::string_view name,
                                                                 size_t count,
                                                                 int64_t fallback) const {
  std::vector<int64_t> values = node.Ints(name);
  if (values.empty()) values.assign(count, fallback);
  if (values.size() != count) {
    return Error("attribute '", name, "' has ", values.size(), " numbers; ", count, " are needed");
  }
  for (const int64_t value : values) {
    if (value < -kMaxExtent || value > kMaxExtent) {
      return Error("attribute '", name, "' is out of range");
    }
  }
  return values;
}

void InferContext::Set(size_t output, DataType type, std::optional<Shape> shape) {
  if (!node.HasOutput(output)) return;
  if (set_.size() <= output) set_.resize(output + 1, false);
  set_[output] = true;
  Value& value = graph_.value(node.outputs[output]);
  value.type = type;
  value.shape = std::move(shape);
}

void InferContext::SetLike(size_t output, size_t i, DataType type) {
  const Shape* shape = In(i);
  Set(output, type, shape == nullptr ? std::nullopt : std::optional<Shape>(*shape));
}

absl::Status LikeFirst(InferContext& context) {
  context.SetLike(0, 0);
  return absl::OkStatus();
}

bool Fits(absl::Span<const int64_t> a, absl::Span<const int64_t> b) {
  return std::ranges::equal(a, b, [](int64_t x, int64_t y) { return Fits(x, y); });
}

bool BroadcastsTo(absl::Span<const int64_t> from, absl::Span<const int64_t> to) {
  return from.size() <= to.size() &&
         std::ranges::equal(from, to.last(from.size()),
                            [](int64_t x, int64_t y) { return x == 1 || Fits(x, y); });
}

Shape ScalarShape() { return Shape(); }

absl::StatusOr<size_t> NormalizeAxis(int64_t axis, size_t rank) {
  const auto extent = static_cast<int64_t>(rank);
  if (axis < -extent || axis >= extent) {
    return InferContext::Error("axis ", axis, " is not one of ", rank);
  }
  return static_cast<size_t>(axis < 0 ? axis + extent : axis);
}

absl::StatusOr<Shape> Broadcast(absl::Span<const int64_t> a, absl::Span<const int64_t> b) {
  if (a.size() < b.size()) std::swap(a, b);
  Shape out(a.begin(), a.end());
  const size_t offset = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t& extent = out[offset + i];
    if (extent == b[i] || b[i] == 1) continue;
    if (extent == 1 || (extent == -1 && b[i] != -1)) {
      extent = b[i];
    } else if (b[i] != -1) {
      return InferContext::Error("shapes ", ShapeToString(a), " and ", ShapeToString(b),
                                 " do not broadcast");
    }
  }
  return out;
}

absl::StatusOr<int64_t> MultiplyExtents(absl::Span<const int64_t> extents) {
  int64_t product = 1;
  for (const int64_t extent : extents) {
    if (extent < 0) return -1;
    if (__builtin_mul_overflow(product, extent, &product)) {
      return InferContext::Error("shape ", ShapeToString(extents), " is too large");
    }
  }
  return product;
}

bool HasShapeRule(const Node& node) { return FindRow(node) != nullptr; }

absl::Status InferNode(Graph& graph, const Node& node) {
  const InferRow* row = FindRow(node);
  if (row == nullptr) return absl::OkStatus();
  const auto named = [&node](const absl::Status& status) {
    return absl::Status(status.code(), StrCat(Describe(node), ": ", Message(status)));
  };
  for (size_t i = 0; i < row->required_inputs; ++i) {
    if (!node.HasInput(i)) return named(InferContext::Error("input ", i, " is missing"));
  }
  InferContext context(graph, node);
  if (absl::Status status = row->rule(context); !status.ok()) return named(status);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.HasOutput(i) && !context.WasSet(i)) {
      return named(InferContext::Error("the operator has no output ", i));
    }
  }
  for (const ValueId id : node.outputs) {
    if (id == kNoValue || !graph.value(id).shape.has_value()) continue;
    const Shape& shape = *graph.value(id).shape;
    for (const int64_t extent : shape) {
      if (extent < -1 || extent > kMaxExtent) {
        return named(InferContext::Error("the output would have shape ", ShapeToString(shape)));
      }
    }
    if (auto count = MultiplyExtents(shape); !count.ok()) return named(count.status());
  }
  return absl::OkStatus();
}

}  // namespace nereid::engine
