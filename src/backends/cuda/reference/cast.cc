#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/reference/numbers.h"
#include "backends/cuda/reference/operator.h"
#include "nereid/data_type.h"

namespace nereid::engine {
namespace {

std::string ToText(const HostTensor& x, int64_t i) {
  if (!IsFloating(x.type())) return StrCat(x.AsInt64(i));
  const double value = x.AsDouble(i);
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "INF" : "-INF";
  return x.type() == DataType::kFp64 ? StrCat(value) : StrCat(static_cast<float>(value));
}

// from_chars knows no leading plus; it takes "inf" and "nan" in any case.
bool FromText(std::string_view text, double& value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

Results CastFromText(const HostTensor& x, DataType to) {
  std::vector<double> values(static_cast<size_t>(x.element_count()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!FromText(x.strings()[i], values[i])) return Refuse("'", x.strings()[i], "' is no number");
  }
  return One(Write(to, x.shape(), values));
}

Results CastToText(const HostTensor& x) {
  HostTensor result(DataType::kBytes, x.shape());
  for (int64_t i = 0; i < x.element_count(); ++i) {
    result.mutable_strings()[static_cast<size_t>(i)] = ToText(x, i);
  }
  return One(std::move(result));
}

Results CastTo(const HostTensor& x, DataType to) {
  if (to == x.type()) return One(x);
  if (x.type() == DataType::kBytes) return CastFromText(x, to);
  if (to == DataType::kBytes) return CastToText(x);
  return VisitCompute(
      x.type(), [&]<typename C>() -> Results { return One(Write(to, x.shape(), Read<C>(x))); });
}

absl::StatusOr<DataType> Target(const Node& node) {
  const int64_t to = node.Int("to", 0);
  const DataType type = FromOnnxType(to);
  if (type == DataType::kInvalid) return Refuse("no conversion to ", OnnxTypeName(to));
  return type;
}

Results Cast(const Call& call) {
  NEREID_ASSIGN_OR_RETURN(const DataType to, Target(call.node));
  return CastTo(call.In(0), to);
}

Results CastLike(const Call& call) { return CastTo(call.In(0), call.In(1).type()); }

Results BitCast(const Call& call) {
  const HostTensor& x = call.In(0);
  NEREID_ASSIGN_OR_RETURN(const DataType to, Target(call.node));
  if (ElementByteSize(to) == 0 || ElementByteSize(to) != ElementByteSize(x.type())) {
    return Refuse(ProtocolName(x.type()), " and ", ProtocolName(to), " differ in width");
  }
  HostTensor result(to, x.shape());
  std::memcpy(result.mutable_data<std::byte>(), x.bytes(), x.byte_size());
  return One(std::move(result));
}

constexpr OperatorRow kOperators[] = {
    {"BitCast", BitCast, 1},
    {"Cast", Cast, 1, Accepts::kAnything},
    {"CastLike", CastLike, 2, Accepts::kAnything},
};

}  // namespace

absl::Span<const OperatorRow> CastOperators() { return kOperators; }

}  // namespace nereid::engine
