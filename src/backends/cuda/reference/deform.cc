#include <cmath>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/window.h"

namespace nereid::engine {
namespace {

// Convolutions whose taps do not lie on a grid, and the inverse of taking them apart.

// Bilinear between the four pixels around; zero outside.
double Sample(const double* image, int64_t height, int64_t width, double y, double x) {
  if (!(y > -1 && y < static_cast<double>(height) && x > -1 && x < static_cast<double>(width))) {
    return 0;
  }
  const auto top = static_cast<int64_t>(std::floor(y));
  const auto left = static_cast<int64_t>(std::floor(x));
  const double dy = y - static_cast<double>(top);
  const double dx = x - static_cast<double>(left);
  double sum = 0;
  for (int64_t r = 0; r < 2; ++r) {
    for (int64_t c = 0; c < 2; ++c) {
      const bool inside = top + r >= 0 && top + r < height && left + c >= 0 && left + c < width;
      if (!inside) continue;
      sum += (r == 0 ? 1 - dy : dy) * (c == 0 ? 1 - dx : dx) * image[(top + r) * width + left + c];
    }
  }
  return sum;
}

// Extents of a DeformConv on an image [N, C, H, W] with weights [M, C / group, kH, kW].
struct Layout {
  Window window = {};
  Shape x = {};
  int64_t filters = 0;
  int64_t group = 1;
  int64_t offset_group = 1;
  int64_t taps() const { return window.kernel_size(); }
  int64_t places() const { return window.output_size(); }
};

absl::StatusOr<Layout> ReadLayout(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  const Shape& w = call.ShapeOf(1);
  Layout l{
      .x = x, .group = call.node.Int("group", 1), .offset_group = call.node.Int("offset_group", 1)};
  if (x.size() != 4 || w.size() != 4) return absl::UnimplementedError("only images of two axes");
  if (l.group < 1 || l.offset_group < 1 || x[1] % l.group != 0 || w[0] % l.group != 0 ||
      w[1] != x[1] / l.group || x[1] % l.offset_group != 0) {
    return Refuse("weight ", ShapeToString(w), " does not fit ", ShapeToString(x));
  }
  l.filters = w[0];
  NEREID_ASSIGN_OR_RETURN(l.window, MakeWindow(call.node, absl::Span<const int64_t>(x).subspan(2),
                                               absl::Span<const int64_t>(w).subspan(2)));
  const Shape offsets = l.window.OutputShape(x[0], l.offset_group * l.taps() * 2);
  const Shape mask = l.window.OutputShape(x[0], l.offset_group * l.taps());
  if (call.ShapeOf(2) != offsets || (call.Has(4) && call.ShapeOf(4) != mask)) {
    return Refuse("offsets or mask do not fit");
  }
  if (call.Has(3) && call.ShapeOf(3) != Shape{l.filters}) return Refuse("the bias does not fit");
  return l;
}

// x, w, offsets [N, offset groups · taps · (y, x), output…], bias?, mask [N, offset groups · taps,
// output…]?
Results DeformConv(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const Layout l, ReadLayout(call));
  const Window& window = l.window;
  const Shape shape = window.OutputShape(l.x[0], l.filters);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const std::vector<double> images = Read<double>(call.In(0));
  const std::vector<double> weights = Read<double>(call.In(1));
  const std::vector<double> offsets = Read<double>(call.In(2));
  const std::vector<double> bias =
      call.Has(3) ? Read<double>(call.In(3)) : std::vector<double>(static_cast<size_t>(l.filters));
  const std::vector<double> mask = call.Has(4) ? Read<double>(call.In(4)) : std::vector<double>();
  const int64_t channels = l.x[1] / l.group;
  std::vector<double> y(static_cast<size_t>(count));
  ForEachIndex(shape, [&](int64_t i, const Strides& at) {
    const int64_t place = at[2] * window.output[2] + at[3];
    double sum = bias[static_cast<size_t>(at[1])];
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t channel = at[1] / (l.filters / l.group) * channels + c;
      const int64_t lead = at[0] * l.offset_group + channel / (l.x[1] / l.offset_group);
      const double* image = images.data() + (at[0] * l.x[1] + channel) * window.input_size();
      for (int64_t k = 0; k < l.taps(); ++k) {
        const int64_t tap = lead * l.taps() + k;
        const double dy = offsets[static_cast<size_t>(2 * tap * l.places() + place)];
        const double dx = offsets[static_cast<size_t>((2 * tap + 1) * l.places() + place)];
        const int64_t row = window.InputAt(1, at[2], k / window.kernel[2]);
        const int64_t column = window.InputAt(2, at[3], k % window.kernel[2]);
        const double weight = weights[static_cast<size_t>((at[1] * channels + c) * l.taps() + k)];
        const double shown = mask.empty() ? 1 : mask[static_cast<size_t>(tap * l.places() + place)];
        sum += weight * shown *
               Sample(image, l.x[2], l.x[3], static_cast<double>(row) + dy,
                      static_cast<double>(column) + dx);
      }
    }
    y[static_cast<size_t>(i)] = sum;
  });
  return One(Write(call.In(0).type(), shape, y));
}

// Columns [N, C · taps, places], image extents, block extents → [N, C, image…]: overlapping blocks
// add up.
Results Col2Im(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> image, call.Integers(1));
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> block, call.Integers(2));
  NEREID_RETURN_IF_ERROR(CountOf(image).status());
  NEREID_ASSIGN_OR_RETURN(const Window w, MakeWindow(call.node, image, block));
  if (x.size() != 3 || x[1] % w.kernel_size() != 0 || x[2] != w.output_size()) {
    return Refuse("columns ", ShapeToString(x), " do not fit");
  }
  Shape shape = {x[0], x[1] / w.kernel_size()};
  shape.insert(shape.end(), image.begin(), image.end());
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const std::vector<double> columns = Read<double>(call.In(0));
  std::vector<double> y(static_cast<size_t>(count));
  const Shape steps = {x[0] * shape[1], w.kernel[0], w.kernel[1], w.kernel[2],
                       w.output[0],     w.output[1], w.output[2]};
  ForEachIndex(steps, [&](int64_t i, const Strides& at) {
    int64_t to = at[0];
    for (size_t d = 0; d < Window::kAxes; ++d) {
      const int64_t position = w.InputAt(d, at[4 + d], at[1 + d]);
      if (!w.Sees(d, position)) return;
      to = to * w.input[d] + position;
    }
    y[static_cast<size_t>(to)] += columns[static_cast<size_t>(i)];
  });
  return One(Write(call.In(0).type(), shape, y));
}

constexpr OperatorRow kOperators[] = {
    {"Col2Im", Col2Im, 3},
    {"DeformConv", DeformConv, 3, Accepts::kFloats},
};

}  // namespace

absl::Span<const OperatorRow> DeformOperators() { return kOperators; }

}  // namespace nereid::engine
