#include "backends/cuda/exec/offender.h"

#include <map>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {

void NameNodes(Graph& graph, PrecisionOptions& options) {
  std::map<std::string, int> uses;
  for (const Node& node : graph.nodes) ++uses[node.name];
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    if (!node.name.empty() && uses[node.name] == 1) continue;
    const auto layer = options.layers.find(node.name);
    node.name = StrCat(node.name.empty() ? node.op : node.name, " #", i);
    if (layer != options.layers.end()) options.layers[node.name] = layer->second;
  }
}

absl::StatusOr<std::optional<std::string>> FindOffender(Graph graph, PrecisionOptions options,
                                                        const PrecisionTrial& is_bad) {
  NameNodes(graph, options);
  const auto is_bad_up_to = [&](size_t count) {
    PrecisionOptions trial = options;
    for (size_t i = count; i < graph.nodes.size(); ++i) {
      trial.layers[graph.nodes[i].name] = Precision::kFp32;
    }
    return is_bad(graph, trial);
  };
  size_t good = 0, bad = graph.nodes.size();
  NEREID_ASSIGN_OR_RETURN(const bool none_is_bad, is_bad_up_to(good));
  NEREID_ASSIGN_OR_RETURN(const bool all_is_bad, is_bad_up_to(bad));
  if (none_is_bad || !all_is_bad) return std::nullopt;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    NEREID_ASSIGN_OR_RETURN(const bool middle_is_bad, is_bad_up_to(middle));
    (middle_is_bad ? bad : good) = middle;
  }
  return Describe(graph.nodes[bad - 1]);
}

}  // namespace nereid::engine
