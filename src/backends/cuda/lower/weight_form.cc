#include "backends/cuda/lower/weight_form.h"

#include <cstring>
#include <vector>

#include "absl/status/status.h"
#include "backends/cuda/ir/half.h"
#include "backends/cuda/ir/onnx_type.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

float Load(const HostTensor& tensor, int64_t i) {
  switch (tensor.type()) {
    case DataType::kFp32:
      return tensor.data<float>()[i];
    case DataType::kFp16:
      return Fp16ToFloat(tensor.data<uint16_t>()[i]);
    case DataType::kBf16:
      return Bf16ToFloat(tensor.data<uint16_t>()[i]);
    default:
      return static_cast<float>(tensor.AsDouble(i));
  }
}

template <typename T, typename Convert>
void Fill(const HostTensor& from, HostTensor& to, Convert convert) {
  T* out = to.mutable_data<T>();
  if (from.type() == DataType::kFp32) {  // what weights mostly are
    const float* in = from.data<float>();
    for (int64_t i = 0; i < from.element_count(); ++i) out[i] = convert(in[i]);
    return;
  }
  for (int64_t i = 0; i < from.element_count(); ++i) out[i] = convert(Load(from, i));
}

absl::StatusOr<HostTensor> Convert(const HostTensor& tensor, DataType type) {
  if (tensor.type() == type) return tensor;
  HostTensor result(type, tensor.shape());
  switch (type) {
    case DataType::kFp32:
      Fill<float>(tensor, result, [](float x) { return x; });
      return result;
    case DataType::kFp16:
      Fill<uint16_t>(tensor, result, FloatToFp16);
      return result;
    case DataType::kBf16:
      Fill<uint16_t>(tensor, result, FloatToBf16);
      return result;
    default:
      return absl::InternalError(StrCat("no conversion of a weight of type ",
                                        ProtocolName(tensor.type()), " to ", ProtocolName(type)));
  }
}

// [outer, c, inner] → [outer, inner, channels], of elements of `size` bytes.
HostTensor ChannelsLast(const HostTensor& tensor, Shape shape, int64_t outer, int64_t c,
                        int64_t inner, int64_t channels) {
  HostTensor result(tensor.type(), std::move(shape));
  const size_t size = ElementByteSize(tensor.type());
  std::memset(result.mutable_data<std::byte>(), 0, result.byte_size());
  const std::byte* from = tensor.bytes();
  std::byte* to = result.mutable_data<std::byte>();
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < c; ++i) {
      for (int64_t j = 0; j < inner; ++j) {
        std::memcpy(to + static_cast<size_t>((o * inner + j) * channels + i) * size,
                    from + static_cast<size_t>((o * c + i) * inner + j) * size, size);
      }
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<HostTensor> FormWeight(const HostTensor& tensor, DataType type, WeightForm form) {
  NEREID_ASSIGN_OR_RETURN(HostTensor typed, Convert(tensor, type));
  if (form.order == WeightOrder::kAsIs) return typed;
  const Shape& shape = typed.shape();
  if (shape.size() < 3) return absl::InternalError("filters have rank 3 or 4");
  int64_t pixels = 1;
  for (size_t i = 2; i < shape.size(); ++i) pixels *= shape[i];
  if (form.order == WeightOrder::kDepthwise) {  // [1, C, pixels] → [1, pixels, C]
    return ChannelsLast(typed, {pixels, shape[0]}, 1, shape[0], pixels, shape[0]);
  }
  const int64_t channels = form.channels == 0 ? shape[1] : form.channels;
  return ChannelsLast(typed, {shape[0], pixels, channels}, shape[0], shape[1], pixels, channels);
}

}  // namespace nereid::engine
