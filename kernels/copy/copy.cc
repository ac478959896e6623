#include "kernels/copy/copy.h"

#include <utility>

#include "backends/cuda/codegen/pointwise.h"
#include "common/status_macros.h"
#include "kernels/jit/kernel_op.h"

namespace nereid::engine {
namespace {

// Bits are copied whatever they mean.
absl::StatusOr<DataType> BitsOf(DataType type) {
  switch (ElementByteSize(type)) {
    case 1:
      return DataType::kUint8;
    case 2:
      return DataType::kUint16;
    case 4:
      return DataType::kUint32;
    case 8:
      return DataType::kUint64;
    default:
      return absl::UnimplementedError("a copy of elements without a fixed size");
  }
}

class CopyBytes final : public DeviceOp {
 public:
  CopyBytes(std::shared_ptr<Context> context, size_t bytes)
      : context_(std::move(context)), bytes_(bytes) {}
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer,
                      DeviceStream stream) const override {
    if (bytes_ == 0 || inputs[0] == outputs[0]) return absl::OkStatus();
    return CudaStatus(context_->api().cuMemcpyDtoDAsync(outputs[0], inputs[0], bytes_,
                                                        static_cast<CUstream>(stream)),
                      "cuMemcpyDtoDAsync");
  }
  bool in_place() const override { return true; }

 private:
  const std::shared_ptr<Context> context_;
  const size_t bytes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeStridedCopy(Toolbox& toolbox,
                                                          const StridedCopySpec& spec) {
  NEREID_ASSIGN_OR_RETURN(const DataType bits, BitsOf(spec.type));
  PointwiseSpec copy;
  copy.shape = spec.shape;
  copy.inputs.push_back({bits, spec.in_strides, spec.in_offset});
  copy.outputs.push_back({bits, spec.out_strides, spec.out_offset});
  copy.results = {0};
  return MakePointwise(toolbox, copy);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeSlice(Toolbox& toolbox, DataType type,
                                                    const Shape& in, const Shape& out,
                                                    const std::vector<int64_t>& starts,
                                                    const std::vector<int64_t>& steps) {
  StridedCopySpec copy;
  copy.type = type;
  copy.shape = out;
  copy.out_strides = DenseStrides(out);
  copy.in_strides = DenseStrides(in);
  for (size_t i = 0; i < in.size(); ++i) {
    copy.in_offset += starts[i] * copy.in_strides[i];
    copy.in_strides[i] *= steps[i];
  }
  return MakeStridedCopy(toolbox, copy);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeExpand(Toolbox& toolbox, DataType type,
                                                     const Shape& in, const Shape& out) {
  StridedCopySpec copy;
  copy.type = type;
  copy.shape = out;
  copy.in_strides = BroadcastStrides(in, out);
  copy.out_strides = DenseStrides(out);
  return MakeStridedCopy(toolbox, copy);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeTile(Toolbox& toolbox, DataType type, const Shape& in,
                                                   const std::vector<int64_t>& repeats) {
  StridedCopySpec copy;
  copy.type = type;
  const std::vector<int64_t> strides = DenseStrides(in);
  for (size_t i = 0; i < in.size(); ++i) {
    copy.shape.push_back(repeats[i]);
    copy.in_strides.push_back(0);
    copy.shape.push_back(in[i]);
    copy.in_strides.push_back(strides[i]);
  }
  copy.out_strides = DenseStrides(copy.shape);
  return MakeStridedCopy(toolbox, copy);
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeCopyBytes(Toolbox& toolbox, size_t bytes) {
  return std::make_unique<CopyBytes>(toolbox.context(), bytes);
}

}  // namespace nereid::engine
