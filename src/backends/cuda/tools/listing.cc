#include "backends/cuda/tools/listing.h"

#include <cstdio>
#include <map>

#include "common/strings.h"

namespace nereid::engine {
namespace {

double Megabytes(size_t bytes) { return static_cast<double>(bytes) * 1e-6; }

// "   12.34 us", or as many blanks.
std::string TimeText(float milliseconds) {
  if (milliseconds < 0) return "";
  char text[32];
  std::snprintf(text, sizeof(text), "%9.2f us  ", static_cast<double>(milliseconds) * 1e3);
  return text;
}

}  // namespace

std::string ShapesText(absl::Span<const Shape> shapes) {
  std::string text;
  for (const Shape& shape : shapes) {
    StrAppend(&text, text.empty() ? "" : ", ");
    for (size_t i = 0; i < shape.size(); ++i) StrAppend(&text, i == 0 ? "" : "x", shape[i]);
    if (shape.empty()) StrAppend(&text, "scalar");
  }
  return text;
}

void PrintLayers(absl::Span<const LayerRow> layers, bool each) {
  struct Sum {
    int count = 0;
    float milliseconds = 0;
  };
  std::map<std::string_view, Sum> kinds;
  Sum total;
  bool measured = !layers.empty();
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerRow& layer = layers[i];
    const std::string_view kind = KindOf(*layer.spec);
    if (each) {
      std::printf("%4zu %s%-12.*s %s\n", i, TimeText(layer.milliseconds).c_str(),
                  static_cast<int>(kind.size()), kind.data(),
                  StrCat(DescribeSpec(*layer.spec), "  ", layer.name).c_str());
    }
    measured = measured && layer.milliseconds >= 0;
    for (Sum* sum : {&kinds[kind], &total}) {
      ++sum->count;
      sum->milliseconds += layer.milliseconds;
    }
  }
  for (const auto& [kind, sum] : kinds) {
    std::printf("%s%d of %s\n", TimeText(measured ? sum.milliseconds : -1).c_str(), sum.count,
                std::string(kind).c_str());
  }
  if (measured) std::printf("%sin all steps\n", TimeText(total.milliseconds).c_str());
}

void PrintHostSteps(absl::Span<const LayerRow> layers, const std::optional<HiddenWork>& hidden) {
  for (const LayerRow& layer : layers) {
    const auto* spec = std::get_if<HostSpec>(layer.spec);
    if (spec == nullptr) continue;
    std::printf("on the host: %s (%s)\n", layer.name.c_str(), spec->op.c_str());
  }
  if (hidden) {
    std::printf("%s; nodes that run on the host: %d\n", hidden->cause.c_str(), hidden->nodes);
  }
}

void PrintMemory(const PlanBytes& bytes, bool workspace_is_known) {
  std::printf("memory: weights %.1f MB, arena %.1f MB, workspace ", Megabytes(bytes.weights),
              Megabytes(bytes.arena));
  if (workspace_is_known) {
    std::printf("%.1f MB\n", Megabytes(bytes.workspace));
  } else {
    std::printf("known with a GPU only\n");
  }
}

}  // namespace nereid::engine
