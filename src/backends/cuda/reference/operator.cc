#include "backends/cuda/reference/operator.h"

#include "backends/cuda/reference/numbers.h"

namespace nereid::engine {

absl::StatusOr<std::vector<int64_t>> Call::Integers(size_t i) const {
  if (!IsInteger(In(i).type())) return Refuse("input ", i, " is not an integer tensor");
  return In(i).AsInt64Vector();
}

absl::StatusOr<int64_t> Call::Integer(size_t i, int64_t fallback) const {
  if (!Has(i)) return fallback;
  NEREID_ASSIGN_OR_RETURN(const std::vector<int64_t> values, Integers(i));
  if (values.size() != 1) return Refuse("input ", i, " is not a scalar");
  return values[0];
}

absl::StatusOr<double> Call::Number(size_t i, double fallback) const {
  if (!Has(i)) return fallback;
  if (In(i).element_count() != 1 || In(i).type() == DataType::kBytes) {
    return Refuse("input ", i, " is not a number");
  }
  return In(i).AsDouble(0);
}

}  // namespace nereid::engine
