#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "backends/cuda/ir/graph.h"

namespace nereid::engine {

enum class Precision : uint8_t { kFp32, kTf32, kFp16, kBf16 };

// "fp32", "tf32", "fp16", "bf16". INVALID_ARGUMENT otherwise.
absl::StatusOr<Precision> ParsePrecision(std::string_view name);
std::string_view PrecisionName(Precision precision);

struct PrecisionOptions {
  Precision precision = Precision::kFp16;
  // By the name of a node in the model: what differs from `precision` there.
  std::map<std::string, Precision, std::less<>> layers;

  Precision Of(const Node& node) const;
};

// The types in which a program keeps values and computes nodes.
struct TypePlan {
  std::vector<DataType> storage;  // by value
  std::vector<DataType> compute;  // by node: what fp32 operands of matrix products are taken as
  std::vector<bool> tf32;         // by node: fp32 products on tensor cores
};

// fp32 values of a graph of known shapes are kept in 16 bits when the precision says so, except
// what overflows or loses too much there: results of Pow, Exp, long sums and running sums, and what
// is computed from nothing else. The graph's outputs keep their own type where a pointwise node or
// a plain product makes them. Integers, booleans, fp64 and what the model itself has in 16 bits
// stay as they are.
TypePlan AssignTypes(const Graph& graph, const PrecisionOptions& options);

}  // namespace nereid::engine
