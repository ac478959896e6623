#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/gemm/cublas_lt.h"
#include "kernels/jit/kernel_op.h"
#include "kernels/jit/race.h"

namespace nereid::engine {
namespace {

struct TypeRow {
  DataType type;
  cudaDataType_t cuda;
};
constexpr TypeRow kTypes[] = {
    {DataType::kFp32, CUDA_R_32F}, {DataType::kFp16, CUDA_R_16F}, {DataType::kBf16, CUDA_R_16BF}};

absl::StatusOr<cudaDataType_t> CudaType(DataType type) {
  for (const TypeRow& row : kTypes) {
    if (row.type == type) return row.cuda;
  }
  return absl::UnimplementedError(StrCat("matrix products of ", ProtocolName(type)));
}

struct EpilogueRow {
  GemmActivation activation;
  bool bias;
  cublasLtEpilogue_t epilogue;
};
constexpr EpilogueRow kEpilogues[] = {
    {GemmActivation::kNone, false, CUBLASLT_EPILOGUE_DEFAULT},
    {GemmActivation::kNone, true, CUBLASLT_EPILOGUE_BIAS},
    {GemmActivation::kRelu, false, CUBLASLT_EPILOGUE_RELU},
    {GemmActivation::kRelu, true, CUBLASLT_EPILOGUE_RELU_BIAS},
    {GemmActivation::kGeluTanh, false, CUBLASLT_EPILOGUE_GELU},
    {GemmActivation::kGeluTanh, true, CUBLASLT_EPILOGUE_GELU_BIAS},
};

cublasLtEpilogue_t EpilogueOf(const GemmSpec& spec) {
  for (const EpilogueRow& row : kEpilogues) {
    if (row.activation == spec.activation && row.bias == spec.has_bias) return row.epilogue;
  }
  return CUBLASLT_EPILOGUE_DEFAULT;
}

// The library computes column-major; a row-major matrix is its own transpose there, so it is asked
// for Cᵀ = Bᵀ·Aᵀ: its first operand is our B.
class GemmOp final : public DeviceOp {
 public:
  GemmOp(const CublasLt* library, const GemmSpec& spec)
      : library_(library), api_(library->api()), spec_(spec) {}
  ~GemmOp() override {
    for (const cublasLtMatrixLayout_t layout : {a_, b_, c_}) {
      if (layout != nullptr) api_.cublasLtMatrixLayoutDestroy(layout);
    }
    if (operation_ != nullptr) api_.cublasLtMatmulDescDestroy(operation_);
  }

  absl::Status Build(const Toolbox& toolbox);

  size_t workspace_bytes() const override { return workspace_bytes_; }
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    return Multiply(inputs, outputs, workspace, stream, algorithm_);
  }

 private:
  absl::Status Describe();
  bool Restore(const std::string& tactic, size_t max_workspace_bytes);
  absl::Status MakeLayout(cublasLtMatrixLayout_t* layout, DataType type, int64_t rows,
                          int64_t columns, const MatrixLayout& place) const;
  absl::StatusOr<std::vector<cublasLtMatmulHeuristicResult_t>> Candidates(
      const Toolbox::Options& options) const;
  absl::Status Choose(const Toolbox& toolbox,
                      const std::vector<cublasLtMatmulHeuristicResult_t>& candidates);
  absl::Status Multiply(absl::Span<const DevicePointer> inputs,
                        absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                        DeviceStream stream, const cublasLtMatmulAlgo_t& algorithm) const;
  size_t OperandBytes(const MatrixLayout& place, int64_t rows, DataType type) const {
    return static_cast<size_t>(std::max<int64_t>(place.batch_stride * (spec_.batch - 1), 0) +
                               rows * place.row_stride) *
           ElementByteSize(type);
  }

  const CublasLt* const library_;
  const CublasLtApi& api_;
  const GemmSpec spec_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_{};
  size_t workspace_bytes_ = 0;
};

absl::Status GemmOp::MakeLayout(cublasLtMatrixLayout_t* layout, DataType type, int64_t rows,
                                int64_t columns, const MatrixLayout& place) const {
  NEREID_ASSIGN_OR_RETURN(const cudaDataType_t cuda_type, CudaType(type));
  NEREID_RETURN_IF_ERROR(CublasLtStatus(
      api_.cublasLtMatrixLayoutCreate(layout, cuda_type, static_cast<uint64_t>(columns),
                                      static_cast<uint64_t>(rows), place.row_stride),
      "cublasLtMatrixLayoutCreate"));
  const auto count = static_cast<int32_t>(spec_.batch);
  NEREID_RETURN_IF_ERROR(
      CublasLtStatus(api_.cublasLtMatrixLayoutSetAttribute(
                         *layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
                     "cublasLtMatrixLayoutSetAttribute"));
  const int64_t stride = spec_.batch > 1 ? place.batch_stride : 0;
  return CublasLtStatus(
      api_.cublasLtMatrixLayoutSetAttribute(*layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                            &stride, sizeof(stride)),
      "cublasLtMatrixLayoutSetAttribute");
}

absl::Status GemmOp::Describe() {
  const cublasComputeType_t compute = spec_.type == DataType::kFp32 && spec_.tf32
                                          ? CUBLAS_COMPUTE_32F_FAST_TF32
                                          : CUBLAS_COMPUTE_32F;
  NEREID_RETURN_IF_ERROR(CublasLtStatus(
      api_.cublasLtMatmulDescCreate(&operation_, compute, CUDA_R_32F), "cublasLtMatmulDescCreate"));
  const auto set = [&](cublasLtMatmulDescAttributes_t name, const auto& value) {
    return CublasLtStatus(
        api_.cublasLtMatmulDescSetAttribute(operation_, name, &value, sizeof(value)),
        "cublasLtMatmulDescSetAttribute");
  };
  NEREID_RETURN_IF_ERROR(
      set(CUBLASLT_MATMUL_DESC_TRANSA, spec_.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N));
  NEREID_RETURN_IF_ERROR(
      set(CUBLASLT_MATMUL_DESC_TRANSB, spec_.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N));
  NEREID_RETURN_IF_ERROR(set(CUBLASLT_MATMUL_DESC_EPILOGUE, EpilogueOf(spec_)));
  if (spec_.has_bias) {
    NEREID_ASSIGN_OR_RETURN(const cudaDataType_t bias_type, CudaType(spec_.out_type));
    NEREID_RETURN_IF_ERROR(set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, bias_type));
    // Heuristics look at the alignment of the address only.
    NEREID_RETURN_IF_ERROR(
        set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, reinterpret_cast<const void*>(uintptr_t{256})));
  }
  NEREID_RETURN_IF_ERROR(MakeLayout(&a_, spec_.type, spec_.transpose_b ? spec_.n : spec_.k,
                                    spec_.transpose_b ? spec_.k : spec_.n, spec_.b));
  NEREID_RETURN_IF_ERROR(MakeLayout(&b_, spec_.type, spec_.transpose_a ? spec_.k : spec_.m,
                                    spec_.transpose_a ? spec_.m : spec_.k, spec_.a));
  return MakeLayout(&c_, spec_.out_type, spec_.m, spec_.n, spec_.c);
}

absl::StatusOr<std::vector<cublasLtMatmulHeuristicResult_t>> GemmOp::Candidates(
    const Toolbox::Options& options) const {
  cublasLtMatmulPreference_t preference = nullptr;
  NEREID_RETURN_IF_ERROR(CublasLtStatus(api_.cublasLtMatmulPreferenceCreate(&preference),
                                        "cublasLtMatmulPreferenceCreate"));
  const uint64_t workspace = options.max_workspace_bytes;
  absl::Status status = CublasLtStatus(
      api_.cublasLtMatmulPreferenceSetAttribute(
          preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof(workspace)),
      "cublasLtMatmulPreferenceSetAttribute");
  for (const auto name :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    if (!status.ok()) break;
    status = CublasLtStatus(api_.cublasLtMatmulPreferenceSetAttribute(
                                preference, name, &spec_.alignment, sizeof(spec_.alignment)),
                            "cublasLtMatmulPreferenceSetAttribute");
  }
  std::vector<cublasLtMatmulHeuristicResult_t> found(
      static_cast<size_t>(std::max(options.race ? options.max_candidates : 1, 1)));
  int count = 0;
  if (status.ok()) {
    status = CublasLtStatus(api_.cublasLtMatmulAlgoGetHeuristic(
                                library_->handle(), operation_, a_, b_, c_, c_, preference,
                                static_cast<int>(found.size()), found.data(), &count),
                            "cublasLtMatmulAlgoGetHeuristic");
  }
  api_.cublasLtMatmulPreferenceDestroy(preference);
  NEREID_RETURN_IF_ERROR(status);
  found.resize(static_cast<size_t>(count));
  std::erase_if(found, [](const auto& row) { return row.state != CUBLAS_STATUS_SUCCESS; });
  if (found.empty()) {
    return absl::UnimplementedError(StrCat("no matrix product of ", spec_.m, "×", spec_.n, "×",
                                           spec_.k, " ", ProtocolName(spec_.type)));
  }
  return found;
}

absl::Status GemmOp::Choose(const Toolbox& toolbox,
                            const std::vector<cublasLtMatmulHeuristicResult_t>& candidates) {
  size_t winner = 0;
  if (candidates.size() > 1) {
    NEREID_ASSIGN_OR_RETURN(const auto stream, Stream::Create(toolbox.context()));
    const auto buffer = [&](const MatrixLayout& place, int64_t rows, DataType type) {
      return RaceBuffer(*stream, OperandBytes(place, rows, type));
    };
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory a,
                            buffer(spec_.a, spec_.transpose_a ? spec_.k : spec_.m, spec_.type));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory b,
                            buffer(spec_.b, spec_.transpose_b ? spec_.n : spec_.k, spec_.type));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory c, buffer(spec_.c, spec_.m, spec_.out_type));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory bias,
                            RaceBuffer(*stream, static_cast<size_t>(spec_.n) * 4));
    DeviceMemory residual;
    if (spec_.has_residual) {
      NEREID_ASSIGN_OR_RETURN(residual, buffer(spec_.c, spec_.m, spec_.out_type));
    }
    size_t bytes = 0;
    for (const auto& row : candidates) bytes = std::max(bytes, row.workspaceSize);
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory workspace, RaceBuffer(*stream, bytes));
    const DevicePointer inputs[] = {a.address(), b.address(), bias.address(), residual.address()};
    const DevicePointer outputs[] = {c.address()};
    std::vector<std::function<absl::Status()>> runs;
    for (const auto& row : candidates) {
      workspace_bytes_ = row.workspaceSize;
      runs.push_back([&, this] {
        workspace_bytes_ = row.workspaceSize;
        return Multiply(inputs, outputs, workspace.address(), stream->handle(), row.algo);
      });
    }
    NEREID_ASSIGN_OR_RETURN(winner, Race(*stream, runs));
    NEREID_RETURN_IF_ERROR(stream->Synchronize());
  }
  algorithm_ = candidates[winner].algo;
  workspace_bytes_ = candidates[winner].workspaceSize;
  return absl::OkStatus();
}

// A tactic is the library's own description of an algorithm, which it allows to be kept and used
// again with the same release on the same GPU.
bool GemmOp::Restore(const std::string& tactic, size_t max_workspace_bytes) {
  static_assert(std::is_trivially_copyable_v<cublasLtMatmulAlgo_t>);
  if (tactic.size() != sizeof(algorithm_)) return false;
  std::memcpy(&algorithm_, tactic.data(), sizeof(algorithm_));
  cublasLtMatmulHeuristicResult_t result{};
  const cublasStatus_t status = api_.cublasLtMatmulAlgoCheck(library_->handle(), operation_, a_, b_,
                                                             c_, c_, &algorithm_, &result);
  workspace_bytes_ = result.workspaceSize;
  return status == CUBLAS_STATUS_SUCCESS && workspace_bytes_ <= max_workspace_bytes;
}

absl::Status GemmOp::Build(const Toolbox& toolbox) {
  NEREID_RETURN_IF_ERROR(toolbox.context()->Bind());
  NEREID_RETURN_IF_ERROR(Describe());
  const Toolbox::Options& options = toolbox.options();
  const std::string library = StrCat("cuBLASLt ", api_.cublasLtGetVersion());
  const std::string specification = SpecificationOf(spec_, options);
  if (options.race) {
    const auto tactic = toolbox.tactics().Find(library, specification);
    if (tactic && Restore(*tactic, options.max_workspace_bytes)) return absl::OkStatus();
  }
  NEREID_ASSIGN_OR_RETURN(const auto candidates, Candidates(options));
  NEREID_RETURN_IF_ERROR(Choose(toolbox, candidates));
  if (options.race) {
    toolbox.tactics().Remember(
        library, specification,
        std::string(reinterpret_cast<const char*>(&algorithm_), sizeof(algorithm_)));
  }
  return absl::OkStatus();
}

absl::Status GemmOp::Multiply(absl::Span<const DevicePointer> inputs,
                              absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                              DeviceStream stream, const cublasLtMatmulAlgo_t& algorithm) const {
  const auto pointer = [](DevicePointer address) { return reinterpret_cast<void*>(address); };
  // The bias' address is part of the description: a copy of it, as streams share this op.
  cublasLtMatmulDescOpaque_t operation = *operation_;
  if (spec_.has_bias) {
    const void* bias = pointer(inputs[2]);
    NEREID_RETURN_IF_ERROR(
        CublasLtStatus(api_.cublasLtMatmulDescSetAttribute(
                           &operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof(bias)),
                       "cublasLtMatmulDescSetAttribute"));
  }
  const float beta = spec_.has_residual ? 1.0f : 0.0f;
  void* const result = pointer(outputs[0]);
  const void* const addend = spec_.has_residual ? pointer(inputs[3]) : result;
  return CublasLtStatus(
      api_.cublasLtMatmul(library_->handle(), &operation, &spec_.alpha, pointer(inputs[1]), a_,
                          pointer(inputs[0]), b_, &beta, addend, c_, result, c_, &algorithm,
                          pointer(workspace), workspace_bytes_, static_cast<CUstream>(stream)),
      "cublasLtMatmul");
}

}  // namespace

std::string SpecificationOf(const GemmSpec& s, const Toolbox::Options& options) {
  const auto place = [](const MatrixLayout& layout) {
    return StrCat(layout.row_stride, "+", layout.batch_stride);
  };
  return StrCat(s.batch, "x ", s.m, "x", s.n, "x", s.k, " ", ProtocolName(s.type), " to ",
                ProtocolName(s.out_type), s.tf32 ? " tf32" : "", s.transpose_a ? " aT" : "",
                s.transpose_b ? " bT" : "", " ", place(s.a), " ", place(s.b), " ", place(s.c),
                s.has_bias ? " +bias" : "", s.has_residual ? " +residual" : "", " epilogue ",
                static_cast<int>(EpilogueOf(s)), " aligned ", s.alignment, " of ",
                options.max_candidates, " within ", options.max_workspace_bytes);
}

GemmSpec Completed(GemmSpec spec) {
  if (spec.out_type == DataType::kInvalid) spec.out_type = spec.type;
  const auto complete = [](MatrixLayout& layout, int64_t rows, int64_t columns) {
    if (layout.row_stride == 0) layout.row_stride = columns;
    if (layout.batch_stride < 0) layout.batch_stride = rows * layout.row_stride;
  };
  complete(spec.a, spec.transpose_a ? spec.k : spec.m, spec.transpose_a ? spec.m : spec.k);
  complete(spec.b, spec.transpose_b ? spec.n : spec.k, spec.transpose_b ? spec.k : spec.n);
  complete(spec.c, spec.m, spec.n);
  return spec;
}

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeGemm(Toolbox& toolbox, const GemmSpec& spec) {
  if (spec.m * spec.n * spec.batch == 0)
    return KernelOp::Create(toolbox, std::vector<KernelLaunch>{}, {});
  if (spec.k == 0) return absl::UnimplementedError("a matrix product over no elements");
  NEREID_ASSIGN_OR_RETURN(CublasLt * library, toolbox.cublas_lt());
  auto op = std::make_unique<GemmOp>(library, Completed(spec));
  NEREID_RETURN_IF_ERROR(op->Build(toolbox));
  return op;
}

}  // namespace nereid::engine
