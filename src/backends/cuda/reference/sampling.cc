#include <algorithm>
#include <cmath>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// GridSample: reading an image of one to three axes at given places.

enum class Outside { kZero, kBorder, kReflect };

struct Sampling {
  Outside outside = Outside::kZero;
  bool align_corners = false;
  int taps = 2;  // along each axis: 1 nearest, 2 linear, 4 cubic
};

absl::StatusOr<Sampling> ReadSampling(const Node& node) {
  Sampling sampling{.align_corners = node.Int("align_corners", 0) != 0};
  const std::string padding = node.String("padding_mode", "zeros");
  if (padding == "border") {
    sampling.outside = Outside::kBorder;
  } else if (padding == "reflection") {
    sampling.outside = Outside::kReflect;
  } else if (padding != "zeros") {
    return Refuse("padding_mode is '", padding, "'");
  }
  const std::string mode = node.String("mode", "linear");
  if (mode == "nearest") {
    sampling.taps = 1;
  } else if (mode == "cubic" || mode == "bicubic") {
    sampling.taps = 4;
  } else if (mode != "linear" && mode != "bilinear") {
    return Refuse("mode is '", mode, "'");
  }
  return sampling;
}

int64_t Remainder(int64_t a, int64_t b) { return (a % b + b) % b; }

// The pixel that stands for position `at`; -1 for none.
int64_t PixelAt(int64_t at, int64_t extent, const Sampling& sampling) {
  if (at >= 0 && at < extent) return at;
  switch (sampling.outside) {
    case Outside::kZero:
      return -1;
    case Outside::kBorder:
      return std::clamp<int64_t>(at, 0, extent - 1);
    case Outside::kReflect:
      break;
  }
  if (sampling.align_corners) {
    if (extent == 1) return 0;
    const int64_t folded = Remainder(at, 2 * (extent - 1));
    return std::min(folded, 2 * (extent - 1) - folded);
  }
  const int64_t folded = Remainder(at, 2 * extent);
  return std::min(folded, 2 * extent - 1 - folded);
}

double CubicWeight(double x) {
  constexpr double kA = -0.75;
  x = std::fabs(x);
  if (x <= 1) return ((kA + 2) * x - (kA + 3)) * x * x + 1;
  return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA;
}

struct Tap {
  int64_t pixel;
  double weight;
};
using Taps = absl::InlinedVector<Tap, 4>;

// Where a normalised coordinate in [-1, 1] reads along an axis.
Taps TapsAt(double normal, int64_t extent, const Sampling& sampling) {
  const auto n = static_cast<double>(extent);
  double x = sampling.align_corners ? (normal + 1) / 2 * (n - 1) : ((normal + 1) * n - 1) / 2;
  // Far outside, and for a NaN, only that it lies outside matters.
  if (!(std::fabs(x) < 1e9)) x = x > 0 ? 1e9 : -1e9;
  if (sampling.taps == 1) {
    return {{PixelAt(static_cast<int64_t>(std::nearbyint(x)), extent, sampling), 1.0}};
  }
  const auto base = static_cast<int64_t>(std::floor(x));
  Taps taps;
  for (int64_t i = 1 - sampling.taps / 2; i <= sampling.taps / 2; ++i) {
    const double distance = std::fabs(x - static_cast<double>(base + i));
    taps.push_back({PixelAt(base + i, extent, sampling),
                    sampling.taps == 2 ? 1 - distance : CubicWeight(distance)});
  }
  return taps;
}

// Σ over all combinations of taps, from axis `d` on.
double Interpolate(const double* image, absl::Span<const int64_t> extents,
                   const absl::InlinedVector<Taps, 3>& taps, size_t d = 0, int64_t at = 0) {
  if (d == taps.size()) return image[at];
  double sum = 0;
  for (const Tap& tap : taps[d]) {
    if (tap.pixel < 0) continue;
    sum += tap.weight * Interpolate(image, extents, taps, d + 1, at * extents[d] + tap.pixel);
  }
  return sum;
}

// x [N, C, image…], grid [N, output…, axes of the image, the last first]
Results GridSample(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  const Shape& grid = call.ShapeOf(1);
  NEREID_ASSIGN_OR_RETURN(const Sampling sampling, ReadSampling(call.node));
  if (x.size() < 3 || x.size() > 5 || grid.size() != x.size() || grid[0] != x[0] ||
      grid.back() != static_cast<int64_t>(x.size() - 2)) {
    return Refuse("a grid of shape ", ShapeToString(grid), " does not fit ", ShapeToString(x));
  }
  const size_t axes = x.size() - 2;
  const absl::Span<const int64_t> image = absl::Span<const int64_t>(x).subspan(2);
  Shape shape = {x[0], x[1]};
  shape.insert(shape.end(), grid.begin() + 1, grid.end() - 1);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  if (count > 0 && Product(image) == 0) return Refuse("the image is empty");
  const int64_t points = Product(absl::Span<const int64_t>(shape).subspan(2));
  const std::vector<double> pixels = Read<double>(call.In(0));
  const std::vector<double> places = Read<double>(call.In(1));
  std::vector<double> results(static_cast<size_t>(count));
  for (int64_t n = 0; n < x[0]; ++n) {
    for (int64_t p = 0; p < points; ++p) {
      const double* place = places.data() + (n * points + p) * static_cast<int64_t>(axes);
      absl::InlinedVector<Taps, 3> taps;
      for (size_t d = 0; d < axes; ++d) {
        taps.push_back(TapsAt(place[axes - 1 - d], image[d], sampling));
      }
      for (int64_t c = 0; c < x[1]; ++c) {
        const double* channel = pixels.data() + (n * x[1] + c) * Product(image);
        results[static_cast<size_t>((n * x[1] + c) * points + p)] =
            Interpolate(channel, image, taps);
      }
    }
  }
  return One(Write(call.In(0).type(), shape, results));
}

// theta [N, d, d + 1], size [N, C, image…] → grid [N, image…, d]
Results AffineGrid(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> size, call.Integers(1));
  const Shape& theta = call.ShapeOf(0);
  const auto axes = static_cast<int64_t>(size.size()) - 2;
  if (axes < 2 || axes > 3 || theta != Shape{size[0], axes, axes + 1}) {
    return Refuse("theta has the shape ", ShapeToString(theta));
  }
  Shape shape = {size[0]};
  shape.insert(shape.end(), size.begin() + 2, size.end());
  shape.push_back(axes);
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const bool align = call.node.Int("align_corners", 0) != 0;
  const std::vector<double> matrices = Read<double>(call.In(0));
  std::vector<double> results(static_cast<size_t>(count));
  ForEachIndex(shape, [&](int64_t i, const Strides& index) {
    const double* row = matrices.data() + (index[0] * axes + index.back()) * (axes + 1);
    double sum = row[axes];
    for (int64_t d = 0; d < axes; ++d) {
      const auto n =
          static_cast<double>(size[static_cast<size_t>(size.size()) - 1 - static_cast<size_t>(d)]);
      const auto at = static_cast<double>(index[static_cast<size_t>(axes - d)]);
      const double normal = !align ? (2 * at + 1) / n - 1 : n == 1 ? 0 : 2 * at / (n - 1) - 1;
      sum += row[d] * normal;
    }
    results[static_cast<size_t>(i)] = sum;
  });
  return One(Write(call.In(0).type(), shape, results));
}

constexpr OperatorRow kOperators[] = {
    {"AffineGrid", AffineGrid, 2},
    {"GridSample", GridSample, 2},
};

}  // namespace

absl::Span<const OperatorRow> SamplingOperators() { return kOperators; }

}  // namespace nereid::engine
