#include "kernels/cudnn/convolution_graph.h"

#include <array>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr int64_t kAlignment = 16;

absl::StatusOr<cudnnDataType_t> CudnnType(DataType type) {
  switch (type) {
    case DataType::kFp32:
      return CUDNN_DATA_FLOAT;
    case DataType::kFp16:
      return CUDNN_DATA_HALF;
    case DataType::kBf16:
      return CUDNN_DATA_BFLOAT16;
    default:
      return absl::UnimplementedError(StrCat("convolution of ", ProtocolName(type)));
  }
}

using Extents = std::array<int64_t, 4>;  // n, c, h, w, whatever the layout

// The descriptors of one operation graph. Order of operations: convolution, + residual, + bias,
// ReLU. That order has precompiled engines; others are compiled at run time, for a second and more.
class GraphBuilder {
 public:
  GraphBuilder(const Cudnn& library, const ConvolutionSpec& spec)
      : library_(library), spec_(spec) {}

  // Gives away what was made; once.
  absl::StatusOr<std::shared_ptr<const OperationGraph>> Build();

 private:
  absl::StatusOr<CudnnDescriptor*> Make(cudnnBackendDescriptorType_t type);
  absl::StatusOr<CudnnDescriptor*> Tensor(int64_t id, const Extents& extents, bool is_virtual);
  absl::StatusOr<CudnnDescriptor*> Geometry();
  absl::StatusOr<CudnnDescriptor*> Convolve(CudnnDescriptor* y);
  // y = x `mode` b; b is nullptr for ReLU.
  absl::StatusOr<CudnnDescriptor*> Pointwise(cudnnPointwiseMode_t mode, const CudnnDescriptor* x,
                                             const CudnnDescriptor* b, const CudnnDescriptor* y);
  Extents OutExtents() const { return {spec_.n, spec_.k, spec_.out_h(), spec_.out_w()}; }

  const Cudnn& library_;
  const ConvolutionSpec& spec_;
  std::vector<std::unique_ptr<CudnnDescriptor>> kept_;
};

absl::StatusOr<CudnnDescriptor*> GraphBuilder::Make(cudnnBackendDescriptorType_t type) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor made, CudnnDescriptor::Create(library_.api(), type));
  kept_.push_back(std::make_unique<CudnnDescriptor>(std::move(made)));
  return kept_.back().get();
}

absl::StatusOr<CudnnDescriptor*> GraphBuilder::Tensor(int64_t id, const Extents& extents,
                                                      bool is_virtual) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * tensor, Make(CUDNN_BACKEND_TENSOR_DESCRIPTOR));
  NEREID_ASSIGN_OR_RETURN(cudnnDataType_t type, CudnnType(spec_.type));
  if (is_virtual) type = CUDNN_DATA_FLOAT;
  const int64_t c = extents[1], h = extents[2], w = extents[3];
  const Extents strides = spec_.layout == ImageLayout::kNhwc ? Extents{c * h * w, 1, c * w, c}
                                                             : Extents{c * h * w, h * w, w, 1};
  NEREID_RETURN_IF_ERROR(tensor->Set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id));
  NEREID_RETURN_IF_ERROR(tensor->Set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type));
  NEREID_RETURN_IF_ERROR(
      tensor->Set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, extents.data()));
  NEREID_RETURN_IF_ERROR(
      tensor->Set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides.data()));
  NEREID_RETURN_IF_ERROR(
      tensor->Set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, kAlignment));
  NEREID_RETURN_IF_ERROR(tensor->Set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, is_virtual));
  NEREID_RETURN_IF_ERROR(tensor->Finalize());
  return tensor;
}

absl::StatusOr<CudnnDescriptor*> GraphBuilder::Geometry() {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * conv, Make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(
      conv->Set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2}));
  NEREID_RETURN_IF_ERROR(
      conv->Set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT));
  NEREID_RETURN_IF_ERROR(conv->Set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                                   CUDNN_CROSS_CORRELATION));
  const struct {
    cudnnBackendAttributeName_t name;
    const std::array<int64_t, 2>& values;
  } rows[] = {{CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, spec_.pad_begin},
              {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, spec_.pad_end},
              {CUDNN_ATTR_CONVOLUTION_DILATIONS, spec_.dilation},
              {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, spec_.stride}};
  for (const auto& row : rows) {
    NEREID_RETURN_IF_ERROR(conv->Set(row.name, CUDNN_TYPE_INT64, 2, row.values.data()));
  }
  NEREID_RETURN_IF_ERROR(conv->Finalize());
  return conv;
}

absl::StatusOr<CudnnDescriptor*> GraphBuilder::Convolve(CudnnDescriptor* y) {
  const Extents x_extents = {spec_.n, spec_.c, spec_.h, spec_.w};
  const Extents w_extents = spec_.transposed
                                ? Extents{spec_.c, spec_.k / spec_.groups, spec_.r, spec_.s}
                                : Extents{spec_.k, spec_.c / spec_.groups, spec_.r, spec_.s};
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * x, Tensor(kConvolutionX, x_extents, false));
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * w, Tensor(kConvolutionW, w_extents, false));
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * geometry, Geometry());
  struct Names {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t x, w, y, geometry, alpha, beta;
  };
  // A transposed convolution is the gradient of a convolution by its input: our x is the gradient
  // by its output.
  const Names names = spec_.transposed
                          ? Names{CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA}
                          : Names{CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * operation, Make(names.type));
  NEREID_RETURN_IF_ERROR(operation->Set(names.x, *x));
  NEREID_RETURN_IF_ERROR(operation->Set(names.w, *w));
  NEREID_RETURN_IF_ERROR(operation->Set(names.y, *y));
  NEREID_RETURN_IF_ERROR(operation->Set(names.geometry, *geometry));
  NEREID_RETURN_IF_ERROR(operation->Set(names.alpha, CUDNN_TYPE_FLOAT, 1.0f));
  NEREID_RETURN_IF_ERROR(operation->Set(names.beta, CUDNN_TYPE_FLOAT, 0.0f));
  NEREID_RETURN_IF_ERROR(operation->Finalize());
  return operation;
}

absl::StatusOr<CudnnDescriptor*> GraphBuilder::Pointwise(cudnnPointwiseMode_t mode,
                                                         const CudnnDescriptor* x,
                                                         const CudnnDescriptor* b,
                                                         const CudnnDescriptor* y) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * function, Make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(function->Set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode));
  NEREID_RETURN_IF_ERROR(
      function->Set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT));
  NEREID_RETURN_IF_ERROR(function->Finalize());
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * operation,
                          Make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(operation->Set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, *function));
  NEREID_RETURN_IF_ERROR(operation->Set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, *x));
  if (b != nullptr) {
    NEREID_RETURN_IF_ERROR(operation->Set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b));
  }
  NEREID_RETURN_IF_ERROR(operation->Set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, *y));
  NEREID_RETURN_IF_ERROR(operation->Finalize());
  return operation;
}

absl::StatusOr<std::shared_ptr<const OperationGraph>> GraphBuilder::Build() {
  struct Step {
    cudnnPointwiseMode_t mode;
    CudnnDescriptor* operand;
  };
  std::vector<Step> steps;
  if (spec_.has_residual) {
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * residual,
                            Tensor(kConvolutionResidual, OutExtents(), false));
    steps.push_back({CUDNN_POINTWISE_ADD, residual});
  }
  if (spec_.has_bias) {
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * bias,
                            Tensor(kConvolutionBias, {1, spec_.k, 1, 1}, false));
    steps.push_back({CUDNN_POINTWISE_ADD, bias});
  }
  if (spec_.relu) steps.push_back({CUDNN_POINTWISE_RELU_FWD, nullptr});

  std::vector<cudnnBackendDescriptor_t> operations;
  NEREID_ASSIGN_OR_RETURN(
      CudnnDescriptor * value,
      Tensor(steps.empty() ? int64_t{kConvolutionY} : 100, OutExtents(), !steps.empty()));
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * convolve, Convolve(value));
  operations.push_back(convolve->get());
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool last = i + 1 == steps.size();
    NEREID_ASSIGN_OR_RETURN(
        CudnnDescriptor * next,
        Tensor(last ? int64_t{kConvolutionY} : 101 + static_cast<int64_t>(i), OutExtents(), !last));
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * operation,
                            Pointwise(steps[i].mode, value, steps[i].operand, next));
    operations.push_back(operation->get());
    value = next;
  }
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * graph, Make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(graph->Set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                    static_cast<int64_t>(operations.size()), operations.data()));
  NEREID_RETURN_IF_ERROR(
      graph->Set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, library_.handle()));
  NEREID_RETURN_IF_ERROR(graph->Finalize());
  return std::make_shared<const OperationGraph>(OperationGraph{std::move(kept_), graph->get()});
}

}  // namespace

absl::StatusOr<std::shared_ptr<const OperationGraph>> MakeConvolutionGraph(
    const Cudnn& library, const ConvolutionSpec& spec) {
  return GraphBuilder(library, spec).Build();
}

}  // namespace nereid::engine
