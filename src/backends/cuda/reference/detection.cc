#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

struct Box {
  double y1, x1, y2, x2;
  double area() const { return (y2 - y1) * (x2 - x1); }
};

Box BoxAt(const double* b, bool is_centered) {
  if (is_centered) {
    return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  }
  return {std::fmin(b[0], b[2]), std::fmin(b[1], b[3]), std::fmax(b[0], b[2]),
          std::fmax(b[1], b[3])};
}

double Overlap(const Box& a, const Box& b) {
  const double height = std::fmin(a.y2, b.y2) - std::fmax(a.y1, b.y1);
  const double width = std::fmin(a.x2, b.x2) - std::fmax(a.x1, b.x1);
  if (height <= 0 || width <= 0) return 0;
  const double common = height * width;
  return common / (a.area() + b.area() - common);
}

struct Limits {
  size_t boxes = 0;
  double overlap = 0;
  double score = -std::numeric_limits<double>::infinity();
};

// Positions of the boxes that are kept, the best first.
std::vector<size_t> Keep(const std::vector<Box>& boxes, const double* scores,
                         const Limits& limits) {
  std::vector<size_t> order;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (scores[i] > limits.score) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a] > scores[b]; });
  std::vector<size_t> kept;
  for (const size_t i : order) {
    if (kept.size() >= limits.boxes) break;
    const bool is_covered = std::any_of(kept.begin(), kept.end(), [&](size_t k) {
      return Overlap(boxes[i], boxes[k]) > limits.overlap;
    });
    if (!is_covered) kept.push_back(i);
  }
  return kept;
}

// boxes [batch, n, 4], scores [batch, classes, n] → [kept, (batch, class, box)]
Results NonMaxSuppression(const Call& call) {
  const Shape& b = call.ShapeOf(0);
  const Shape& s = call.ShapeOf(1);
  if (b.size() != 3 || s.size() != 3 || b[2] != 4 || s[0] != b[0] || s[2] != b[1]) {
    return Refuse("boxes ", ShapeToString(b), " and scores ", ShapeToString(s), " do not fit");
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t most, call.Integer(2, 0));
  Limits limits{.boxes = static_cast<size_t>(std::clamp<int64_t>(most, 0, b[1]))};
  NEREID_ASSIGN_OR_RETURN(limits.overlap, call.Number(3, 0));
  NEREID_ASSIGN_OR_RETURN(limits.score, call.Number(4, limits.score));
  const std::vector<double> corners = Read<double>(call.In(0));
  const std::vector<double> scores = Read<double>(call.In(1));
  const bool is_centered = call.node.Int("center_point_box", 0) != 0;
  std::vector<int64_t> selected;
  for (int64_t batch = 0; batch < b[0]; ++batch) {
    std::vector<Box> boxes;
    for (int64_t i = 0; i < b[1]; ++i) {
      boxes.push_back(BoxAt(corners.data() + (batch * b[1] + i) * 4, is_centered));
    }
    for (int64_t c = 0; c < s[1]; ++c) {
      for (const size_t i : Keep(boxes, scores.data() + (batch * s[1] + c) * s[2], limits)) {
        selected.insert(selected.end(), {batch, c, static_cast<int64_t>(i)});
      }
    }
  }
  const auto kept = static_cast<int64_t>(selected.size() / 3);
  return One(Write(DataType::kInt64, {kept, 3}, selected));
}

// One region cut into bins along an axis.
struct Bins {
  double start = 0;
  double size = 0;      // of a bin
  int64_t samples = 1;  // in a bin
  double At(int64_t bin, int64_t sample) const {
    return start + size * (static_cast<double>(bin) +
                           (static_cast<double>(sample) + 0.5) / static_cast<double>(samples));
  }
};

struct RoiOptions {
  int64_t height = 1;
  int64_t width = 1;
  int64_t sampling_ratio = 0;
  double spatial_scale = 1;
  bool shifts = true;  // half_pixel
  bool takes_largest = false;
};

Bins MakeBins(double from, double to, int64_t count, const RoiOptions& options) {
  const double shift = options.shifts ? 0.5 : 0;
  Bins bins{.start = from * options.spatial_scale - shift};
  double length = to * options.spatial_scale - shift - bins.start;
  if (!options.shifts) length = std::fmax(length, 1);
  bins.size = length / static_cast<double>(count);
  const double by_pixel = bins.size > 1 ? std::fmin(std::ceil(bins.size), 4096) : 1;  // NaN: 1
  bins.samples =
      options.sampling_ratio > 0 ? options.sampling_ratio : static_cast<int64_t>(by_pixel);
  return bins;
}

// The four pixels around a point, weighted; nothing outside the image.
struct Corner {
  int64_t at;
  double weight;
};
std::array<Corner, 4> CornersAt(double y, double x, int64_t height, int64_t width) {
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 &&
        x <= static_cast<double>(width))) {
    return {};
  }
  y = std::clamp(y, 0.0, static_cast<double>(height - 1));
  x = std::clamp(x, 0.0, static_cast<double>(width - 1));
  const auto top = static_cast<int64_t>(y);
  const auto left = static_cast<int64_t>(x);
  const int64_t bottom = std::min(top + 1, height - 1);
  const int64_t right = std::min(left + 1, width - 1);
  const double dy = y - static_cast<double>(top);
  const double dx = x - static_cast<double>(left);
  return {{{top * width + left, (1 - dy) * (1 - dx)},
           {top * width + right, (1 - dy) * dx},
           {bottom * width + left, dy * (1 - dx)},
           {bottom * width + right, dy * dx}}};
}

double PoolBin(const double* image, const Shape& x, const Bins& rows, const Bins& columns,
               int64_t r, int64_t c, bool takes_largest) {
  double sum = 0;
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < rows.samples; ++i) {
    for (int64_t j = 0; j < columns.samples; ++j) {
      for (const Corner& corner : CornersAt(rows.At(r, i), columns.At(c, j), x[2], x[3])) {
        const double value = corner.weight * image[corner.at];
        sum += value;
        largest = std::fmax(largest, value);
      }
    }
  }
  return takes_largest ? largest : sum / static_cast<double>(rows.samples * columns.samples);
}

absl::StatusOr<RoiOptions> ReadRoiOptions(const Node& node) {
  RoiOptions options{
      .height = node.Int("output_height", 1),
      .width = node.Int("output_width", 1),
      .sampling_ratio = node.Int("sampling_ratio", 0),
      .spatial_scale = node.Float("spatial_scale", 1),
      .shifts = node.String("coordinate_transformation_mode", "half_pixel") == "half_pixel",
      .takes_largest = node.String("mode", "avg") == "max"};
  if (options.height < 1 || options.width < 1 || options.sampling_ratio < 0 ||
      options.sampling_ratio > 4096) {
    return Refuse("output or sampling extents make no sense");
  }
  return options;
}

// Regions may be of any size, and are sampled by pixel unless the node says otherwise.
absl::Status CheckSamples(absl::Span<const double> regions, int64_t channels,
                          const RoiOptions& options) {
  constexpr double kMostSamples = 1e9;  // some ten seconds
  double samples = 0;
  for (size_t i = 0; i + 4 <= regions.size(); i += 4) {
    const Bins columns = MakeBins(regions[i], regions[i + 2], options.width, options);
    const Bins rows = MakeBins(regions[i + 1], regions[i + 3], options.height, options);
    samples += static_cast<double>(columns.samples) * static_cast<double>(rows.samples);
  }
  samples *= static_cast<double>(channels * options.width * options.height);
  if (samples <= kMostSamples) return absl::OkStatus();
  return Refuse("the regions take ", samples, " samples, more than ", kMostSamples);
}

// x [N, C, H, W], regions [n, (x1, y1, x2, y2)], images [n] → [n, C, height, width]
Results RoiAlign(const Call& call) {
  const Shape& x = call.ShapeOf(0);
  const Shape& rois = call.ShapeOf(1);
  NEREID_ASSIGN_OR_RETURN(const RoiOptions options, ReadRoiOptions(call.node));
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> images, call.Integers(2));
  if (x.size() != 4 || rois.size() != 2 || rois[1] != 4 || x[2] < 1 || x[3] < 1 ||
      static_cast<int64_t>(images.size()) != rois[0]) {
    return Refuse("regions ", ShapeToString(rois), " do not fit ", ShapeToString(x));
  }
  for (const int64_t image : images) {
    if (image < 0 || image >= x[0]) return Refuse("there is no image ", image);
  }
  const Shape shape = {rois[0], x[1], options.height, options.width};
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  const std::vector<double> pixels = Read<double>(call.In(0));
  const std::vector<double> regions = Read<double>(call.In(1));
  NEREID_RETURN_IF_ERROR(CheckSamples(regions, x[1], options));
  std::vector<double> results(static_cast<size_t>(count));
  ForEachIndex(shape, [&](int64_t i, const Strides& index) {
    const double* region = regions.data() + index[0] * 4;
    const Bins columns = MakeBins(region[0], region[2], options.width, options);
    const Bins rows = MakeBins(region[1], region[3], options.height, options);
    const int64_t plane = images[static_cast<size_t>(index[0])] * x[1] + index[1];
    results[static_cast<size_t>(i)] = PoolBin(pixels.data() + plane * x[2] * x[3], x, rows, columns,
                                              index[2], index[3], options.takes_largest);
  });
  return One(Write(call.In(0).type(), shape, results));
}

constexpr OperatorRow kOperators[] = {
    {"NonMaxSuppression", NonMaxSuppression, 2},
    {"RoiAlign", RoiAlign, 3},
};

}  // namespace

absl::Span<const OperatorRow> DetectionOperators() { return kOperators; }

}  // namespace nereid::engine
