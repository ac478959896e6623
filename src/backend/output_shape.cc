#include "backend/output_shape.h"

#include "common/strings.h"

namespace nereid {
namespace {

absl::Status DoesNotFit(const TensorSpec& spec, absl::Span<const int64_t> backend_shape) {
  return absl::InternalError(StrCat("output '", spec.name, "': the model produced shape ",
                                    ShapeToString(backend_shape), ", which does not fit reshape ",
                                    ShapeToString(*spec.reshape)));
}

// Extents of `row` where the reshape has -1, in order.
bool MatchReshape(const Shape& reshape, absl::Span<const int64_t> row, Shape& variable) {
  if (row.size() != reshape.size()) return false;
  for (size_t i = 0; i < row.size(); ++i) {
    if (reshape[i] < 0) {
      variable.push_back(row[i]);
    } else if (reshape[i] != row[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<Shape> ClientShape(const TensorSpec& spec, absl::Span<const int64_t> backend_shape,
                                  bool model_batches) {
  Shape shape(backend_shape.begin(), backend_shape.end());
  if (!spec.reshape) return shape.empty() && !model_batches ? spec.dims : shape;
  const size_t batch_dims = model_batches ? 1 : 0;
  if (shape.size() < batch_dims) return DoesNotFit(spec, backend_shape);
  Shape variable;
  if (!MatchReshape(*spec.reshape, backend_shape.subspan(batch_dims), variable)) {
    return DoesNotFit(spec, backend_shape);
  }
  shape.resize(batch_dims);
  size_t next = 0;
  for (int64_t extent : spec.dims) {
    if (extent < 0 && next == variable.size()) return DoesNotFit(spec, backend_shape);
    shape.push_back(extent < 0 ? variable[next++] : extent);
  }
  return shape;
}

}  // namespace nereid
