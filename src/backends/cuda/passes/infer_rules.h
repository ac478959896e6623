#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "backends/cuda/ir/graph.h"
#include "common/strings.h"

namespace nereid::engine {

// What a rule knows of one node, and where it puts what it finds out. An extent that is not known
// is -1; a shape whose rank is not known is absent.
class InferContext {
 public:
  InferContext(Graph& graph, const Node& node) : node(node), graph_(graph) {}

  const Node& node;

  bool Has(size_t i) const { return node.HasInput(i); }
  DataType Type(size_t i) const;
  // nullptr when the input is left out or its rank is not known.
  const Shape* In(size_t i) const;
  // nullptr when it is not a constant.
  const HostTensor* Constant(size_t i) const;
  // The content of a constant of integers; absent when it is not one.
  std::optional<std::vector<int64_t>> Ints(size_t i) const;
  // The attribute's numbers, `count` of them; `fallback` each where it is absent. INVALID_ARGUMENT
  // for another count, or numbers beyond any extent.
  absl::StatusOr<std::vector<int64_t>> IntsAttribute(std::string_view name, size_t count,
                                                     int64_t fallback) const;

  // INVALID_ARGUMENT unless input i is left out or may have that shape: extents and ranks that are
  // not known fit any.
  absl::Status CheckShape(size_t i, absl::Span<const int64_t> wanted) const;

  void Set(size_t output, DataType type, std::optional<Shape> shape);
  // Like input i.
  void SetLike(size_t output, size_t i) { SetLike(output, i, Type(i)); }
  void SetLike(size_t output, size_t i, DataType type);

  // Whether the rule said something about the output.
  bool WasSet(size_t output) const { return output < set_.size() && set_[output]; }

  template <typename... Pieces>
  static absl::Status Error(const Pieces&... pieces) {
    return absl::InvalidArgumentError(StrCat(pieces...));
  }

 private:
  Graph& graph_;
  std::vector<bool> set_;
};

using InferRule = absl::Status (*)(InferContext&);

// The rule of operators whose output is like their first input.
absl::Status LikeFirst(InferContext& context);

struct InferRow {
  std::string_view op;  // "com.microsoft.MatMulNBits", "nereid.FMHA" outside of the default domain
  InferRule rule;
  size_t required_inputs;  // the first so many may not be left out
};

// The families, each a table in a file of its own.
absl::Span<const InferRow> ElementwiseShapes();
absl::Span<const InferRow> FittedShapes();
absl::Span<const InferRow> LayoutShapes();
absl::Span<const InferRow> WindowShapes();
absl::Span<const InferRow> MatrixShapes();
absl::Span<const InferRow> IndexShapes();
absl::Span<const InferRow> OtherShapes();
absl::Span<const InferRow> SignalShapes();

// Extents larger than this are refused, so that arithmetic on them cannot overflow.
inline constexpr int64_t kMaxExtent = int64_t{1} << 40;

// Whether extents fit each other: those that are not known fit any.
inline bool Fits(int64_t a, int64_t b) { return a == b || a < 0 || b < 0; }
// The same of shapes.
bool Fits(absl::Span<const int64_t> a, absl::Span<const int64_t> b);

// Whether `from` broadcasts to exactly `to`, extents that are not known to any.
bool BroadcastsTo(absl::Span<const int64_t> from, absl::Span<const int64_t> to);

// That of a tensor of rank 0.
Shape ScalarShape();
// `axis` in [-rank, rank) counted from the front.
absl::StatusOr<size_t> NormalizeAxis(int64_t axis, size_t rank);
// The two shapes broadcast; INVALID_ARGUMENT when they do not fit.
absl::StatusOr<Shape> Broadcast(absl::Span<const int64_t> a, absl::Span<const int64_t> b);
// Product, -1 when a factor is not known; INVALID_ARGUMENT on overflow.
absl::StatusOr<int64_t> MultiplyExtents(absl::Span<const int64_t> extents);
inline bool IsKnown(absl::Span<const int64_t> shape) {
  for (const int64_t extent : shape) {
    if (extent < 0) return false;
  }
  return true;
}

// Sets type and shape of the node's outputs. Operators without a rule keep what the file declared.
// Not for nodes with subgraphs (passes/specialize.h).
absl::Status InferNode(Graph& graph, const Node& node);
// Whether there is a rule for the operator.
bool HasShapeRule(const Node& node);

}  // namespace nereid::engine
