#include "backends/cuda/reference/window.h"

#include <algorithm>

namespace nereid::engine {
namespace {

// Beyond it nothing sensible happens, below it no product of two overflows.
constexpr int64_t kMaxStep = int64_t{1} << 30;

absl::Status ReadSteps(const Node& node, std::string_view name, int64_t lowest, Window& window,
                       Window::Axes& steps) {
  const std::vector<int64_t> values = node.Ints(name);
  if (values.empty()) return absl::OkStatus();
  if (values.size() != window.rank) return Refuse(name, " has ", values.size(), " elements");
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] < lowest || values[i] > kMaxStep) return Refuse(name, " has ", values[i]);
    steps[Window::kAxes - window.rank + i] = values[i];
  }
  return absl::OkStatus();
}

absl::Status ReadPads(const Node& node, Window& window) {
  const std::vector<int64_t> pads = node.Ints("pads");
  if (pads.empty()) return absl::OkStatus();
  if (pads.size() != 2 * window.rank) return Refuse("pads has ", pads.size(), " elements");
  const size_t first = Window::kAxes - window.rank;
  for (size_t i = 0; i < window.rank; ++i) {
    window.pad_begin[first + i] = pads[i];
    window.pad_end[first + i] = pads[window.rank + i];
  }
  for (const int64_t pad : pads) {
    if (pad < -kMaxStep || pad > kMaxStep) return Refuse("pads has ", pad);
  }
  return absl::OkStatus();
}

absl::StatusOr<Window> ReadAttributes(const Node& node, absl::Span<const int64_t> image,
                                      absl::Span<const int64_t> kernel) {
  Window window;
  window.rank = image.size();
  if (window.rank == 0 || window.rank > Window::kAxes) {
    return absl::UnimplementedError(StrCat("an image has ", window.rank, " axes"));
  }
  if (kernel.size() != window.rank) return Refuse("the kernel has ", kernel.size(), " axes");
  const size_t first = Window::kAxes - window.rank;
  for (size_t i = 0; i < window.rank; ++i) {
    if (kernel[i] < 1 || kernel[i] > kMaxStep) return Refuse("the kernel's extent is ", kernel[i]);
    window.input[first + i] = image[i];
    window.kernel[first + i] = kernel[i];
  }
  NEREID_RETURN_IF_ERROR(ReadSteps(node, "strides", 1, window, window.stride));
  NEREID_RETURN_IF_ERROR(ReadSteps(node, "dilations", 1, window, window.dilation));
  NEREID_RETURN_IF_ERROR(ReadPads(node, window));
  return window;
}

int64_t CeilDiv(int64_t a, int64_t b) { return a / b + (a % b > 0 ? 1 : 0); }

// Spreads `total` over both ends of an axis; the odd one goes to the end named by auto_pad.
void PadAxis(Window& window, size_t d, int64_t total, bool upper) {
  window.pad_begin[d] = upper ? total / 2 : total - total / 2;
  window.pad_end[d] = total - window.pad_begin[d];
}

int64_t Reach(const Window& window, size_t d) {
  return (window.kernel[d] - 1) * window.dilation[d] + 1;
}

void SizeAxis(Window& window, size_t d, const std::string& auto_pad, bool ceil) {
  const int64_t stride = window.stride[d];
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    window.output[d] = CeilDiv(window.input[d], stride);
    const int64_t total = (window.output[d] - 1) * stride + Reach(window, d) - window.input[d];
    PadAxis(window, d, std::max<int64_t>(total, 0), auto_pad == "SAME_UPPER");
    return;
  }
  if (auto_pad == "VALID") window.pad_begin[d] = window.pad_end[d] = 0;
  const int64_t room = window.input[d] + window.pad_begin[d] + window.pad_end[d] - Reach(window, d);
  window.output[d] = room < 0 ? 0 : (ceil ? CeilDiv(room, stride) : room / stride) + 1;
  // The last window must start within the image or its leading pad.
  if (ceil && (window.output[d] - 1) * stride >= window.input[d] + window.pad_begin[d]) {
    --window.output[d];
  }
}

absl::Status CheckAutoPad(const std::string& auto_pad) {
  for (const char* known : {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", ""}) {
    if (auto_pad == known) return absl::OkStatus();
  }
  return Refuse("auto_pad is '", auto_pad, "'");
}

}  // namespace

Shape Window::OutputShape(int64_t batch, int64_t channels) const {
  Shape shape = {batch, channels};
  shape.insert(shape.end(), output.end() - static_cast<long>(rank), output.end());
  return shape;
}

Window::Taps Window::TapsWithin(size_t axis, int64_t o, int64_t low, int64_t high) const {
  const int64_t base = InputAt(axis, o, 0);
  const int64_t first = base >= low ? 0 : CeilDiv(low - base, dilation[axis]);
  const int64_t last = base >= high ? 0 : CeilDiv(high - base, dilation[axis]);
  return {first, std::min(last, kernel[axis])};
}

absl::StatusOr<Window> MakeWindow(const Node& node, absl::Span<const int64_t> image,
                                  absl::Span<const int64_t> kernel) {
  NEREID_ASSIGN_OR_RETURN(Window window, ReadAttributes(node, image, kernel));
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  NEREID_RETURN_IF_ERROR(CheckAutoPad(auto_pad));
  const bool ceil = node.Int("ceil_mode", 0) != 0;
  for (size_t d = Window::kAxes - window.rank; d < Window::kAxes; ++d) {
    SizeAxis(window, d, auto_pad, ceil);
  }
  return window;
}

absl::StatusOr<Window> MakeTransposedWindow(const Node& node, absl::Span<const int64_t> image,
                                            absl::Span<const int64_t> kernel) {
  NEREID_ASSIGN_OR_RETURN(Window window, ReadAttributes(node, image, kernel));
  const std::string auto_pad = node.String("auto_pad", "NOTSET");
  NEREID_RETURN_IF_ERROR(CheckAutoPad(auto_pad));
  Window::Axes extra{};
  NEREID_RETURN_IF_ERROR(ReadSteps(node, "output_padding", 0, window, extra));
  Window::Axes wanted{};
  std::vector<int64_t> shape = node.Ints("output_shape");
  const bool has_shape = !shape.empty();
  if (shape.size() == window.rank + 2) shape.erase(shape.begin(), shape.begin() + 2);
  if (has_shape && shape.size() != window.rank) {
    return Refuse("output_shape has ", shape.size(), " elements");
  }
  const size_t first = Window::kAxes - window.rank;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0 || shape[i] > kMaxElements) return Refuse("output_shape has ", shape[i]);
    wanted[first + i] = shape[i];
  }
  for (size_t d = first; d < Window::kAxes; ++d) {
    const int64_t full = (window.input[d] - 1) * window.stride[d] + extra[d] + Reach(window, d);
    const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    if (has_shape || same) {
      window.output[d] = has_shape ? wanted[d] : window.input[d] * window.stride[d];
      const int64_t total = std::max<int64_t>(full - window.output[d], 0);
      PadAxis(window, d, total, auto_pad == "SAME_UPPER");
      if (has_shape && auto_pad == "NOTSET") PadAxis(window, d, total, false);
    } else {
      if (auto_pad == "VALID") window.pad_begin[d] = window.pad_end[d] = 0;
      window.output[d] = full - window.pad_begin[d] - window.pad_end[d];
    }
    if (window.output[d] < 0) return Refuse("the output's extent is ", window.output[d]);
  }
  return window;
}

}  // namespace nereid::engine
