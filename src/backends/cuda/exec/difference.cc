#include "backends/cuda/exec/difference.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "common/strings.h"

namespace nereid::engine {

Difference Compare(std::string name, const HostTensor& got, const HostTensor& want) {
  Difference difference;
  difference.name = std::move(name);
  difference.shape = want.shape();
  difference.got = got.shape();
  const bool strings = want.type() == DataType::kBytes;
  difference.differs_in_kind = got.type() != want.type() || got.shape() != want.shape() ||
                               (strings && got.strings() != want.strings());
  if (difference.differs_in_kind || strings) return difference;
  double error = 0, norm = 0;
  for (int64_t i = 0; i < want.element_count(); ++i) {
    const double x = got.AsDouble(i), y = want.AsDouble(i);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      if (x != y && !(std::isnan(x) && std::isnan(y))) ++difference.not_finite;
      continue;
    }
    error += (x - y) * (x - y);
    norm += y * y;
    difference.largest = std::max(difference.largest, std::fabs(x - y));
  }
  const double count = std::max<double>(1, static_cast<double>(want.element_count()));
  difference.rms = std::sqrt(norm / count);
  difference.relative = std::sqrt(error) / (norm > 0 ? std::sqrt(norm) : 1);
  return difference;
}

std::vector<Difference> CompareOutputs(const Graph& graph, absl::Span<const HostTensor> got,
                                       absl::Span<const HostTensor> want) {
  std::vector<Difference> differences;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    differences.push_back(Compare(graph.value(graph.outputs[i]).name, got[i], want[i]));
  }
  return differences;
}

bool AnyExceeds(absl::Span<const Difference> differences, double bound) {
  return std::ranges::any_of(differences,
                             [&](const Difference& each) { return each.Exceeds(bound); });
}

std::string Describe(const Difference& difference) {
  if (difference.differs_in_kind) {
    return StrCat("output ", difference.name, " ", ShapeToString(difference.shape),
                  difference.got == difference.shape
                      ? std::string(" has other contents")
                      : StrCat(" has shape ", ShapeToString(difference.got)));
  }
  char numbers[128];
  std::snprintf(numbers, sizeof(numbers),
                "relative difference %.3g, largest %.3g, rms of the reference %.3g",
                difference.relative, difference.largest, difference.rms);
  std::string text =
      StrCat("output ", difference.name, " ", ShapeToString(difference.shape), ": ", numbers);
  if (difference.not_finite > 0) {
    StrAppend(&text, ", NOT FINITE: ", difference.not_finite, " elements");
  }
  return text;
}

}  // namespace nereid::engine
