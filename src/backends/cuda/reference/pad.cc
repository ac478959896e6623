#include <algorithm>
#include <numeric>

#include "backends/cuda/reference/elements.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Which element an axis of `extent` shows at position `at` outside of it; -1: the fill.
using PadRule = int64_t (*)(int64_t at, int64_t extent);

int64_t Remainder(int64_t a, int64_t b) { return (a % b + b) % b; }

struct PadMode {
  std::string_view name;
  PadRule rule;
};
constexpr PadMode kPadModes[] = {
    {"constant", [](int64_t, int64_t) { return int64_t{-1}; }},
    {"edge", [](int64_t at, int64_t extent) { return std::clamp<int64_t>(at, 0, extent - 1); }},
    {"reflect",
     [](int64_t at, int64_t extent) {
       if (extent == 1) return int64_t{0};
       const int64_t folded = Remainder(at, 2 * (extent - 1));
       return folded < extent ? folded : 2 * (extent - 1) - folded;
     }},
    {"wrap", [](int64_t at, int64_t extent) { return Remainder(at, extent); }},
};

absl::StatusOr<PadRule> FindPadRule(const std::string& mode) {
  for (const PadMode& row : kPadModes) {
    if (row.name == mode) return row.rule;
  }
  return Refuse("mode is '", mode, "'");
}

Results Pad(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> pads, call.Integers(1));
  std::vector<int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (call.Has(3)) {
    NEREID_ASSIGN_OR_RETURN(axes, call.Integers(3));
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> at, AxesOf(axes, rank));
  if (pads.size() != 2 * at.size()) return Refuse("pads has ", pads.size(), " elements");
  NEREID_ASSIGN_OR_RETURN(const PadRule rule, FindPadRule(call.node.String("mode", "constant")));
  if (call.Has(2) && (call.In(2).element_count() != 1 || call.In(2).type() != x.type())) {
    return Refuse("the padding value does not fit");
  }
  Shape begin(rank, 0);
  Shape shape = x.shape();
  for (size_t i = 0; i < at.size(); ++i) {
    const int64_t end = pads[at.size() + i];
    if (std::abs(pads[i]) > kMaxElements || std::abs(end) > kMaxElements) {
      return Refuse("pads has ", pads[i], " and ", end);
    }
    begin[at[i]] = pads[i];
    shape[at[i]] += pads[i] + end;
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  std::vector<std::vector<int64_t>> along(rank);
  for (size_t d = 0; d < rank && count > 0; ++d) {
    const int64_t extent = x.shape()[d];
    if (extent == 0 && rule(0, 1) != -1) return Refuse("an empty axis has nothing to repeat");
    for (int64_t i = 0; i < shape[d]; ++i) {
      const int64_t from = i - begin[d];
      along[d].push_back(from >= 0 && from < extent ? from : rule(from, extent));
    }
  }
  if (count == 0) return One(HostTensor(x.type(), shape));
  return One(TakeGrid(x, along, call.Has(2) ? &call.In(2) : nullptr));
}

// Crops or pads `axes` around their middle to the extents of input 1.
Results CenterCropPad(const Call& call) {
  const HostTensor& x = call.In(0);
  const size_t rank = x.shape().size();
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> extents, call.Integers(1));
  std::vector<int64_t> axes = call.node.Ints("axes");
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  NEREID_ASSIGN_OR_RETURN(const std::vector<size_t> at, AxesOf(axes, rank));
  if (extents.size() != at.size()) return Refuse("shape has ", extents.size(), " elements");
  Shape shape = x.shape();
  for (size_t i = 0; i < at.size(); ++i) shape[at[i]] = extents[i];
  NEREID_ASSIGN_OR_RETURN(const int64_t count, CountOf(shape));
  if (count == 0) return One(HostTensor(x.type(), shape));
  std::vector<std::vector<int64_t>> along(rank);
  for (size_t d = 0; d < rank; ++d) {
    const int64_t extent = x.shape()[d];
    const int64_t start = shape[d] < extent ? (extent - shape[d]) / 2 : -((shape[d] - extent) / 2);
    for (int64_t i = 0; i < shape[d]; ++i) {
      const int64_t from = i + start;
      along[d].push_back(from >= 0 && from < extent ? from : -1);
    }
  }
  return One(TakeGrid(x, along));
}

constexpr OperatorRow kOperators[] = {
    {"CenterCropPad", CenterCropPad, 2, Accepts::kAnything},
    {"Pad", Pad, 2, Accepts::kAnything},
};

}  // namespace

absl::Span<const OperatorRow> PadOperators() { return kOperators; }

}  // namespace nereid::engine
