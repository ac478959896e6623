#include "backends/cuda/reference/heads.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"

namespace nereid::engine {
namespace {

// Angles by position: caches of [positions, pairs] with ids [batch, sequence], or of
// [batch, sequence, pairs].
struct Rotation {
  std::vector<double> cosine;
  std::vector<double> sine;
  std::vector<int64_t> ids;  // empty without ids
  int64_t pairs = 0;

  size_t RowOf(int64_t token) const {
    const int64_t row = ids.empty() ? token : ids[static_cast<size_t>(token)];
    return static_cast<size_t>(row * pairs);
  }
};

absl::StatusOr<Rotation> ReadRotation(const Call& call, int64_t tokens) {
  const Shape& shape = call.ShapeOf(1);
  if (shape.size() < 2 || call.ShapeOf(2) != shape) return Refuse("the caches do not fit");
  Rotation rotation{.cosine = Read<double>(call.In(1)),
                    .sine = Read<double>(call.In(2)),
                    .ids = {},
                    .pairs = shape.back()};
  const int64_t rows = Product(absl::Span<const int64_t>(shape).subspan(0, shape.size() - 1));
  if (call.Has(3)) {
    NEREID_ASSIGN_OR_RETURN(rotation.ids, call.Integers(3));
    if (static_cast<int64_t>(rotation.ids.size()) != tokens) return Refuse("position_ids");
    for (const int64_t id : rotation.ids) {
      if (id < 0 || id >= rows) return Refuse("a position is ", id);
    }
  } else if (rows != tokens) {
    return Refuse("the caches have ", rows, " rows for ", tokens, " tokens");
  }
  return rotation;
}

Results RotaryEmbedding(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const HostTensor x,
                          SplitHeads(call.In(0), call.node.Int("num_heads", 0)));
  const Shape& s = x.shape();
  NEREID_ASSIGN_OR_RETURN(const Rotation rotation, ReadRotation(call, s[0] * s[2]));
  int64_t rotated = call.node.Int("rotary_embedding_dim", 0);
  if (rotated == 0) rotated = s[3];
  if (rotated < 0 || rotated > s[3] || rotated != 2 * rotation.pairs) {
    return Refuse("rotary_embedding_dim is ", rotated, ", the caches have ", rotation.pairs);
  }
  const bool interleaved = call.node.Int("interleaved", 0) != 0;
  std::vector<double> values = Read<double>(x);
  ForEachIndex(absl::Span<const int64_t>(s).subspan(0, 3), [&](int64_t i, const Strides& index) {
    const size_t row = rotation.RowOf(index[0] * s[2] + index[2]);
    double* head = values.data() + i * s[3];
    for (int64_t p = 0; p < rotation.pairs; ++p) {
      double& a = head[interleaved ? 2 * p : p];
      double& b = head[interleaved ? 2 * p + 1 : p + rotation.pairs];
      const double cosine = rotation.cosine[row + static_cast<size_t>(p)];
      const double sine = rotation.sine[row + static_cast<size_t>(p)];
      const double turned = cosine * a - sine * b;
      b = sine * a + cosine * b;
      a = turned;
    }
  });
  HostTensor y = Write(x.type(), s, values);
  return One(call.ShapeOf(0).size() == 3 ? MergeHeads(y) : y);
}

constexpr OperatorRow kOperators[] = {
    {"RotaryEmbedding", RotaryEmbedding, 3, Accepts::kLeadFloat},
};

}  // namespace

absl::Span<const OperatorRow> RotaryOperators() { return kOperators; }

}  // namespace nereid::engine
