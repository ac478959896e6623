#include "backends/cuda/exec/random_inputs.h"

#include <algorithm>
#include <random>
#include <utility>

#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/onnx_type.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

using Generator = std::mt19937_64;

template <typename T>
void FillReals(HostTensor& tensor, const ValueRange& range, Generator& random) {
  std::uniform_real_distribution<double> next(range.low, range.high);
  std::generate_n(tensor.mutable_data<T>(), tensor.element_count(),
                  [&] { return static_cast<T>(next(random)); });
}

template <uint16_t (*kConvert)(float)>
void FillHalves(HostTensor& tensor, const ValueRange& range, Generator& random) {
  std::uniform_real_distribution<double> next(range.low, range.high);
  std::generate_n(tensor.mutable_data<uint16_t>(), tensor.element_count(),
                  [&] { return kConvert(static_cast<float>(next(random))); });
}

template <typename T>
void FillIntegers(HostTensor& tensor, const ValueRange& range, Generator& random) {
  std::uniform_int_distribution<int64_t> next(static_cast<int64_t>(range.low),
                                              static_cast<int64_t>(range.high));
  std::generate_n(tensor.mutable_data<T>(), tensor.element_count(),
                  [&] { return static_cast<T>(next(random)); });
}

void FillStrings(HostTensor& tensor, const ValueRange& range, Generator& random) {
  std::uniform_int_distribution<int64_t> next(static_cast<int64_t>(range.low),
                                              static_cast<int64_t>(range.high));
  for (std::string& text : tensor.mutable_strings()) text = StrCat(next(random));
}

struct Row {
  DataType type;
  void (*fill)(HostTensor& tensor, const ValueRange& range, Generator& random);
};
constexpr Row kRows[] = {
    {DataType::kFp32, FillReals<float>},         {DataType::kFp64, FillReals<double>},
    {DataType::kFp16, FillHalves<FloatToFp16>},  {DataType::kBf16, FillHalves<FloatToBf16>},
    {DataType::kInt64, FillIntegers<int64_t>},   {DataType::kInt32, FillIntegers<int32_t>},
    {DataType::kInt16, FillIntegers<int16_t>},   {DataType::kInt8, FillIntegers<int8_t>},
    {DataType::kUint64, FillIntegers<uint64_t>}, {DataType::kUint32, FillIntegers<uint32_t>},
    {DataType::kUint16, FillIntegers<uint16_t>}, {DataType::kUint8, FillIntegers<uint8_t>},
    {DataType::kBool, FillIntegers<uint8_t>},    {DataType::kBytes, FillStrings},
};

}  // namespace

absl::StatusOr<std::vector<HostTensor>> RandomInputs(const Graph& graph,
                                                     absl::Span<const Shape> shapes,
                                                     const ValueRanges& ranges, uint64_t seed) {
  Generator random(seed);
  std::vector<HostTensor> tensors;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs[i]);
    const auto* row = std::ranges::find(kRows, value.type, &Row::type);
    if (row == std::end(kRows)) {
      return absl::UnimplementedError(
          StrCat("random values of type ", ProtocolName(value.type), " for '", value.name, "'"));
    }
    const auto given = ranges.find(value.name);
    const ValueRange usual{IsFloating(value.type) ? -1.0 : 0.0, 1.0};
    HostTensor tensor(value.type, shapes[i]);
    row->fill(tensor, given == ranges.end() ? usual : given->second, random);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace nereid::engine
