// Forms of windowed operators that say by other means what the plain form says.

#include <algorithm>
#include <vector>

#include "backends/cuda/passes/expansion.h"

namespace nereid::engine {
namespace {

std::vector<int64_t> ListOf(const Node& node, std::string_view name, size_t count,
                            int64_t fallback) {
  std::vector<int64_t> list = node.Ints(name);
  if (list.empty()) list.assign(count, fallback);
  list.resize(count, fallback);
  return list;
}

// A transposed convolution whose pads follow from what its result is to be.
bool ConvTranspose(Expansion& e) {
  const Node& node = e.node;
  const std::string automatic = node.String("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  if ((!same && node.Ints("output_shape").empty()) || !node.HasOutput(0)) return false;
  for (const ValueId id : {e.In(0), e.In(1), node.outputs[0]}) {
    if (id == kNoValue || !e.IsKnown(id)) return false;
  }
  const Shape x = e.ShapeOf(e.In(0)), filter = e.ShapeOf(e.In(1)), y = e.ShapeOf(node.outputs[0]);
  if (x.size() < 3 || filter.size() != x.size() || y.size() != x.size()) return false;
  const size_t count = x.size() - 2;
  const auto strides = ListOf(node, "strides", count, 1);
  const auto dilations = ListOf(node, "dilations", count, 1);
  const auto extra = ListOf(node, "output_padding", count, 0);
  std::vector<int64_t> pads(2 * count);
  for (size_t i = 0; i < count; ++i) {
    const int64_t reach = (filter[2 + i] - 1) * dilations[i] + 1;
    const int64_t total = strides[i] * (x[2 + i] - 1) + extra[i] + reach - y[2 + i];
    if (total < 0) return false;
    const int64_t less = total / 2;
    pads[i] = automatic == "SAME_UPPER" ? less : total - less;
    pads[count + i] = total - pads[i];
  }
  Expansion::Attributes attributes = node.attributes;
  attributes.erase("auto_pad");
  attributes.erase("output_shape");
  attributes["pads"] = pads;
  std::vector<ValueId> inputs = {e.In(0), e.In(1)};
  if (e.Has(2)) inputs.push_back(e.In(2));
  e.Make(0, "ConvTranspose", std::move(inputs), std::move(attributes));
  return true;
}

// A list with one number for each of `axes`, as one for each axis.
template <typename T>
std::vector<T> ForAllAxes(const HostTensor& list, const std::vector<int64_t>& axes,
                          std::vector<T> others) {
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto rank = static_cast<int64_t>(others.size());
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    others[static_cast<size_t>(axis)] = static_cast<T>(list.AsDouble(static_cast<int64_t>(i)));
  }
  return others;
}

// A resize of some axes as one of all.
bool Resize(Expansion& e) {
  const Node& node = e.node;
  const std::vector<int64_t> axes = node.Ints("axes");
  if (axes.empty() || !e.IsKnown(e.In(0)) || e.Has(1) ||
      node.String("keep_aspect_ratio_policy", "stretch") != "stretch") {
    return false;
  }
  const Shape& x = e.ShapeOf(e.In(0));
  const auto rank = static_cast<int64_t>(x.size());
  const bool in_range =
      std::ranges::all_of(axes, [rank](int64_t axis) { return axis >= -rank && axis < rank; });
  const size_t input = e.Has(3) ? 3 : 2;
  const HostTensor* list = e.Constant(e.In(input));
  if (!in_range || list == nullptr || list->element_count() != static_cast<int64_t>(axes.size())) {
    return false;
  }
  ValueId all = kNoValue;
  if (input == 3) {
    all = e.Ints(ForAllAxes(*list, axes, std::vector<int64_t>(x.begin(), x.end())));
  } else {
    all = e.Tensor(HostTensor::Of<float>(DataType::kFp32, {rank},
                                         ForAllAxes(*list, axes, std::vector<float>(x.size(), 1))));
  }
  Expansion::Attributes attributes = node.attributes;
  attributes.erase("axes");
  std::vector<ValueId> inputs = {e.In(0), kNoValue, kNoValue};
  inputs.resize(input + 1, kNoValue);
  inputs[input] = all;
  e.Make(0, "Resize", std::move(inputs), std::move(attributes));
  return true;
}

constexpr DecompositionRow kRows[] = {{"ConvTranspose", ConvTranspose}, {"Resize", Resize}};

}  // namespace

absl::Span<const DecompositionRow> WindowDecompositions() { return kRows; }

}  // namespace nereid::engine
