#include "backend/batch_inputs.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "common/status_macros.h"
#include "common/strings.h"
#include "proto/model_config.pb.h"

namespace nereid {
namespace {

// The source tensor's shape in each request; requests without it count no elements.
using Shapes = std::vector<Shape>;

struct Numbers {
  Shape shape;
  std::vector<int64_t> values;
};

using Fill = absl::Status (*)(const Shapes&, Numbers&);

absl::Status FillCounts(const Shapes& shapes, Numbers& out) {
  for (const Shape& shape : shapes) {
    NEREID_ASSIGN_OR_RETURN(int64_t count, ElementCount(shape));
    out.values.push_back(count);
  }
  out.shape = {static_cast<int64_t>(out.values.size())};
  return absl::OkStatus();
}

absl::Status FillAccumulated(const Shapes& shapes, Numbers& out) {
  NEREID_RETURN_IF_ERROR(FillCounts(shapes, out));
  for (size_t i = 1; i < out.values.size(); ++i) out.values[i] += out.values[i - 1];
  return absl::OkStatus();
}

absl::Status FillAccumulatedWithZero(const Shapes& shapes, Numbers& out) {
  NEREID_RETURN_IF_ERROR(FillAccumulated(shapes, out));
  out.values.insert(out.values.begin(), 0);
  ++out.shape[0];
  return absl::OkStatus();
}

absl::Status FillMaxAsShape(const Shapes& shapes, Numbers& out) {
  NEREID_RETURN_IF_ERROR(FillCounts(shapes, out));
  const int64_t most = out.values.empty() ? 0 : *std::ranges::max_element(out.values);
  out.values.assign(static_cast<size_t>(most), 0);
  out.shape = {most};
  return absl::OkStatus();
}

absl::Status FillItemShapes(const Shapes& shapes, Numbers& out) {
  out.shape = {0, 0};
  for (const Shape& shape : shapes) {
    if (shape.empty())
      return absl::InternalError("batch input of a tensor without batch dimension");
    out.shape[0] += shape[0];
    out.shape[1] = static_cast<int64_t>(shape.size()) - 1;
    for (int64_t item = 0; item < shape[0]; ++item) {
      out.values.insert(out.values.end(), shape.begin() + 1, shape.end());
    }
  }
  return absl::OkStatus();
}

absl::Status FillItemShapesFlat(const Shapes& shapes, Numbers& out) {
  NEREID_RETURN_IF_ERROR(FillItemShapes(shapes, out));
  out.shape = {static_cast<int64_t>(out.values.size())};
  return absl::OkStatus();
}

// By BatchInputKind.
constexpr Fill kFills[] = {FillCounts,     FillAccumulated, FillAccumulatedWithZero,
                           FillMaxAsShape, FillItemShapes,  FillItemShapesFlat};

Shapes SourceShapes(const Batch& batch, const std::string& source) {
  Shapes shapes;
  for (size_t i = 0; i < batch.size(); ++i) {
    if (!batch.Has(i)) continue;
    const InferRequest::Input* input = batch.request(i).FindInput(source);
    shapes.push_back(input == nullptr ? Shape{0} : input->shape);
  }
  return shapes;
}

template <typename T>
void Write(const std::vector<int64_t>& values, std::byte* out) {
  for (int64_t value : values) {
    const T number = static_cast<T>(value);
    std::memcpy(out, &number, sizeof(number));
    out += sizeof(number);
  }
}

absl::Status CheckRange(const BatchInputRule& rule, const std::vector<int64_t>& values) {
  for (int64_t value : values) {
    if (value > std::numeric_limits<int32_t>::max()) {
      return absl::InvalidArgumentError(
          StrCat("batch input of '", rule.source, "': ", value, " does not fit in 32 bits"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<BatchInputRule> BatchInputRules(const ModelConfig& config) {
  std::vector<BatchInputRule> rules;
  for (const inference::BatchInput& entry : config.proto().batch_input()) {
    BatchInputRule& rule = rules.emplace_back();
    rule.kind = static_cast<BatchInputKind>(entry.kind());
    rule.targets.assign(entry.target_name().begin(), entry.target_name().end());
    rule.data_type = static_cast<DataType>(entry.data_type());
    if (entry.source_input_size() > 0) rule.source = entry.source_input(0);
  }
  return rules;
}

absl::StatusOr<BatchTensor> ComputeBatchInput(const Batch& batch, const BatchInputRule& rule,
                                              Scratch& scratch) {
  Numbers numbers;
  const auto kind = static_cast<size_t>(rule.kind);
  if (kind >= std::size(kFills)) return absl::InternalError("unknown kind of batch input");
  NEREID_RETURN_IF_ERROR(kFills[kind](SourceShapes(batch, rule.source), numbers));
  NEREID_RETURN_IF_ERROR(CheckRange(rule, numbers.values));
  BatchTensor tensor;
  tensor.data_type = rule.data_type;
  tensor.shape = std::move(numbers.shape);
  tensor.byte_size = numbers.values.size() * sizeof(int32_t);
  NEREID_ASSIGN_OR_RETURN(std::byte * out, scratch.Reserve(tensor.byte_size));
  rule.data_type == DataType::kFp32 ? Write<float>(numbers.values, out)
                                    : Write<int32_t>(numbers.values, out);
  tensor.data = out;
  return tensor;
}

}  // namespace nereid
