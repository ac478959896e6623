#include "backends/cuda/passes/kernel_window.h"

#include <algorithm>

#include "backends/cuda/passes/infer_rules.h"
#include "common/status_macros.h"

namespace nereid::engine {
namespace {

absl::StatusOr<std::vector<int64_t>> Numbers(const Node& node, std::string_view name, size_t count,
                                             int64_t fallback, int64_t least) {
  std::vector<int64_t> values = node.Ints(name);
  if (values.empty()) values.assign(count, fallback);
  if (values.size() != count) {
    return InferContext::Error("attribute '", name, "' does not fit the input's rank");
  }
  for (const int64_t value : values) {
    if (value < least || value > (int64_t{1} << 30)) {
      return InferContext::Error("attribute '", name, "' is out of range");
    }
  }
  return values;
}

void PadToSame(KernelWindow& window, absl::Span<const int64_t> spatial, bool lower) {
  for (size_t i = 0; i < spatial.size(); ++i) {
    if (spatial[i] < 0) continue;
    const int64_t out = (spatial[i] + window.strides[i] - 1) / window.strides[i];
    const int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
    const int64_t total = std::max<int64_t>(0, (out - 1) * window.strides[i] + reach - spatial[i]);
    window.begin[i] = lower ? total - total / 2 : total / 2;
    window.end[i] = total - window.begin[i];
  }
}

}  // namespace

int64_t KernelWindow::OutputExtent(size_t i, int64_t input) const {
  if (input < 0) return -1;
  const int64_t reach = (kernel[i] - 1) * dilations[i] + 1;
  const int64_t room = input + begin[i] + end[i] - reach;
  if (room < 0) return 0;
  int64_t extent = room / strides[i] + 1;
  // With ceil, one more window fits partly; it may not start behind the input and its front
  // padding.
  if (ceil && room % strides[i] != 0 && extent * strides[i] < input + begin[i]) ++extent;
  return extent;
}

absl::StatusOr<KernelWindow> ReadKernelWindow(const Node& node, absl::Span<const int64_t> kernel,
                                              absl::Span<const int64_t> spatial) {
  const size_t count = spatial.size();
  KernelWindow window;
  window.kernel.assign(kernel.begin(), kernel.end());
  if (window.kernel.size() != count) {
    return InferContext::Error("the kernel does not fit the input's rank");
  }
  for (const int64_t extent : window.kernel) {
    if (extent < 0 || extent > (int64_t{1} << 30)) {
      return InferContext::Error("the kernel is out of range");
    }
  }
  NEREID_ASSIGN_OR_RETURN(window.strides, Numbers(node, "strides", count, 1, 1));
  NEREID_ASSIGN_OR_RETURN(window.dilations, Numbers(node, "dilations", count, 1, 1));
  NEREID_ASSIGN_OR_RETURN(const auto pads,
                          Numbers(node, "pads", 2 * count, 0, -(int64_t{1} << 30)));
  window.begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(count));
  window.end.assign(pads.begin() + static_cast<std::ptrdiff_t>(count), pads.end());
  window.ceil = node.Int("ceil_mode", 0) != 0;
  for (size_t i = 0; i < count; ++i) {
    if (window.kernel[i] * static_cast<double>(window.dilations[i]) > 1e12) {
      return InferContext::Error("the window is too large");
    }
  }
  const std::string automatic = node.String("auto_pad", "NOTSET");
  if (automatic == "VALID") {
    std::fill(window.begin.begin(), window.begin.end(), 0);
    std::fill(window.end.begin(), window.end.end(), 0);
  } else if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
    PadToSame(window, spatial, automatic == "SAME_LOWER");
  } else if (automatic != "NOTSET" && !automatic.empty()) {
    return InferContext::Error("auto_pad '", automatic, "' is not known");
  }
  return window;
}

absl::Status MakePaddingExplicit(const Graph& graph, Node& node) {
  const bool is_conv = node.op == "Conv" || node.op == "ConvInteger" || node.op == "QLinearConv";
  const bool is_pool = node.op == "MaxPool" || node.op == "AveragePool" || node.op == "LpPool";
  if ((!is_conv && !is_pool) || !node.domain.empty()) return absl::OkStatus();
  if (!node.attributes.contains("auto_pad") || !node.HasInput(0)) return absl::OkStatus();
  const auto& x = graph.value(node.inputs[0]).shape;
  if (!x.has_value() || x->size() < 3 || !IsKnown(*x)) return absl::OkStatus();
  std::vector<int64_t> kernel = node.Ints("kernel_shape");
  if (kernel.empty() && is_conv) {
    const size_t index = node.op == "QLinearConv" ? 3 : 1;
    if (!node.HasInput(index) || !graph.value(node.inputs[index]).shape) return absl::OkStatus();
    const Shape& weight = *graph.value(node.inputs[index]).shape;
    if (weight.size() != x->size() || !IsKnown(weight)) return absl::OkStatus();
    kernel.assign(weight.begin() + 2, weight.end());
  }
  NEREID_ASSIGN_OR_RETURN(const KernelWindow window,
                          ReadKernelWindow(node, kernel, absl::MakeConstSpan(*x).subspan(2)));
  std::vector<int64_t> pads = window.begin;
  pads.insert(pads.end(), window.end.begin(), window.end.end());
  node.attributes["pads"] = std::move(pads);
  node.attributes.erase("auto_pad");
  return absl::OkStatus();
}

}  // namespace nereid::engine
