#include "backends/cuda/onnx/tensor_reader.h"

#include <cstring>
#include <vector>

#include "backends/cuda/ir/onnx_type.h"
#include "backends/cuda/onnx/wire_reader.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr uint32_t kFloatData = 4;
constexpr uint32_t kInt32Data = 5;
constexpr uint32_t kStringData = 6;
constexpr uint32_t kInt64Data = 7;
constexpr uint32_t kDoubleData = 10;
constexpr uint32_t kUint64Data = 11;

// The typed field that holds elements of a type.
uint32_t FieldOf(DataType type) {
  switch (type) {
    case DataType::kFp32:
      return kFloatData;
    case DataType::kFp64:
      return kDoubleData;
    case DataType::kInt64:
      return kInt64Data;
    case DataType::kUint32:
    case DataType::kUint64:
      return kUint64Data;
    case DataType::kBytes:
      return kStringData;
    default:
      return kInt32Data;
  }
}

absl::Status WrongCount(size_t found, int64_t wanted) {
  return absl::InvalidArgumentError(
      StrCat("it holds ", found, " elements where its shape has ", wanted));
}

absl::Status Malformed() { return absl::InvalidArgumentError("its data is malformed"); }

absl::StatusOr<HostTensor> ReadStrings(const TensorProto& tensor, Shape shape, int64_t count) {
  std::vector<std::string_view> texts;
  WireReader reader(tensor.message);
  for (WireField field; reader.Next(field);) {
    if (field.number != kStringData) continue;
    if (field.kind != WireField::Kind::kBytes) return Malformed();
    texts.push_back(field.bytes);
  }
  if (static_cast<int64_t>(texts.size()) != count) return WrongCount(texts.size(), count);
  HostTensor out(DataType::kBytes, std::move(shape));
  for (size_t i = 0; i < texts.size(); ++i) out.mutable_strings()[i] = texts[i];
  return out;
}

// float_data, double_data: their packed form is the elements' own.
absl::StatusOr<HostTensor> ReadFixed(const TensorProto& tensor, DataType type, Shape shape,
                                     int64_t count, const std::shared_ptr<const void>& owner) {
  const size_t width = ElementByteSize(type);
  const auto single = width == 4 ? WireField::Kind::kFixed32 : WireField::Kind::kFixed64;
  std::vector<WireField> pieces;
  size_t found = 0;
  WireReader reader(tensor.message);
  for (WireField field; reader.Next(field);) {
    if (field.number != FieldOf(type)) continue;
    if (field.kind == WireField::Kind::kBytes) {
      if (field.bytes.size() % width != 0) return Malformed();
      found += field.bytes.size() / width;
    } else if (field.kind == single) {
      ++found;
    } else {
      return Malformed();
    }
    pieces.push_back(field);
  }
  if (static_cast<int64_t>(found) != count) return WrongCount(found, count);
  if (pieces.size() == 1 && pieces[0].kind == WireField::Kind::kBytes) {
    return HostTensor(type, std::move(shape), owner,
                      reinterpret_cast<const std::byte*>(pieces[0].bytes.data()));
  }
  HostTensor out(type, std::move(shape));
  auto* at = out.mutable_data<char>();
  for (const WireField& piece : pieces) {
    const bool packed = piece.kind == WireField::Kind::kBytes;
    const size_t size = packed ? piece.bytes.size() : width;
    if (size == 0) continue;
    std::memcpy(at, packed ? piece.bytes.data() : reinterpret_cast<const char*>(&piece.scalar),
                size);
    at += size;
  }
  return out;
}

// int32_data, int64_data, uint64_data: varints of the elements' low bits.
absl::StatusOr<HostTensor> ReadVarints(const TensorProto& tensor, DataType type, Shape shape,
                                       int64_t count) {
  std::vector<int64_t> values;
  WireReader reader(tensor.message);
  for (WireField field; reader.Next(field);) {
    if (field.number == FieldOf(type) && !AppendVarints(field, values)) return Malformed();
  }
  if (static_cast<int64_t>(values.size()) != count) return WrongCount(values.size(), count);
  HostTensor out(type, std::move(shape));
  const size_t width = ElementByteSize(type);
  auto* at = out.mutable_data<char>();
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t value = type == DataType::kBool ? values[i] != 0 : values[i];
    std::memcpy(at + i * width, &value, width);
  }
  return out;
}

absl::Status Named(const absl::Status& status, std::string_view name) {
  if (status.ok()) return status;
  return absl::Status(status.code(), StrCat("tensor '", name, "': ", Message(status)));
}

}  // namespace

absl::StatusOr<HostTensor> TensorReader::Read(const TensorProto& tensor) {
  auto content = ReadContent(tensor);
  if (!content.ok()) return Named(content.status(), tensor.name);
  return content;
}

absl::StatusOr<HostTensor> TensorReader::ReadContent(const TensorProto& tensor) {
  const DataType type = FromOnnxType(tensor.data_type);
  if (type == DataType::kInvalid) {
    return absl::UnimplementedError(StrCat("its element type ", OnnxTypeName(tensor.data_type),
                                           " (", tensor.data_type, ") is not supported"));
  }
  if (tensor.segmented) return absl::UnimplementedError("it is stored in segments");
  Shape shape(tensor.dims.begin(), tensor.dims.end());
  NEREID_ASSIGN_OR_RETURN(const int64_t count, ElementCount(shape));
  if (type == DataType::kBytes) {
    if (tensor.external || tensor.raw_data.has_value()) {
      return absl::InvalidArgumentError("strings cannot be stored as raw bytes");
    }
    return ReadStrings(tensor, std::move(shape), count);
  }
  NEREID_ASSIGN_OR_RETURN(const int64_t size, DenseByteSize(type, shape));
  if (tensor.external) {
    NEREID_ASSIGN_OR_RETURN(auto range, external_.Find(tensor, static_cast<uint64_t>(size)));
    return HostTensor(type, std::move(shape), std::move(range.file), range.bytes);
  }
  if (tensor.raw_data.has_value()) {
    if (tensor.raw_data->size() != static_cast<size_t>(size)) {
      return absl::InvalidArgumentError(
          StrCat("it holds ", tensor.raw_data->size(), " bytes where its shape needs ", size));
    }
    return HostTensor(type, std::move(shape), owner_,
                      reinterpret_cast<const std::byte*>(tensor.raw_data->data()));
  }
  const uint32_t field = FieldOf(type);
  if (field == kFloatData || field == kDoubleData) {
    return ReadFixed(tensor, type, std::move(shape), count, owner_);
  }
  return ReadVarints(tensor, type, std::move(shape), count);
}

absl::StatusOr<HostTensor> TensorReader::ReadSparse(const SparseTensorProto& sparse) {
  auto dense = Densify(sparse);
  if (!dense.ok()) return Named(dense.status(), sparse.values.name);
  return dense;
}

absl::StatusOr<HostTensor> TensorReader::Densify(const SparseTensorProto& sparse) {
  NEREID_ASSIGN_OR_RETURN(const HostTensor values, ReadContent(sparse.values));
  NEREID_ASSIGN_OR_RETURN(const HostTensor indices, ReadContent(sparse.indices));
  Shape shape(sparse.dims.begin(), sparse.dims.end());
  NEREID_ASSIGN_OR_RETURN(const int64_t count, ElementCount(shape));
  NEREID_ASSIGN_OR_RETURN(const int64_t size, DenseByteSize(values.type(), shape));
  if (static_cast<uint64_t>(size) > dense_bytes_left_) {
    return absl::ResourceExhaustedError("sparse tensors of the model are too large");
  }
  const int64_t rank = static_cast<int64_t>(shape.size());
  const bool linear = indices.shape().size() == 1;
  const int64_t filled = values.element_count();
  if (indices.type() != DataType::kInt64 || values.shape().size() != 1 ||
      indices.element_count() != (linear ? filled : filled * rank)) {
    return absl::InvalidArgumentError("indices and values of the sparse tensor do not match");
  }
  dense_bytes_left_ -= static_cast<uint64_t>(size);
  HostTensor dense(values.type(), shape);
  const size_t width = ElementByteSize(values.type());
  auto* bytes = dense.mutable_data<std::byte>();
  std::memset(bytes, 0, dense.byte_size());
  for (int64_t i = 0; i < filled; ++i) {
    int64_t at = linear ? indices.AsInt64(i) : 0;
    for (int64_t axis = 0; !linear && axis < rank; ++axis) {
      const int64_t index = indices.AsInt64(i * rank + axis);
      const int64_t extent = shape[static_cast<size_t>(axis)];
      if (index < 0 || index >= extent) return absl::InvalidArgumentError("index out of range");
      at = at * extent + index;
    }
    if (at < 0 || at >= count) return absl::InvalidArgumentError("index out of range");
    std::memcpy(bytes + static_cast<size_t>(at) * width,
                values.bytes() + static_cast<size_t>(i) * width, width);
  }
  return dense;
}

}  // namespace nereid::engine
