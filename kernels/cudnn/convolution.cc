#include "kernels/cudnn/convolution.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/cudnn/cudnn.h"
#include "kernels/cudnn/engine_config.h"
#include "kernels/jit/race.h"

namespace nereid::engine {
namespace {

constexpr int64_t kAlignment = 16;
enum TensorId : int64_t { kX = 'x', kW = 'w', kBias = 'b', kResidual = 'r', kY = 'y' };

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

  // The finished graph; the builder keeps what it refers to.
  absl::StatusOr<cudnnBackendDescriptor_t> Build();

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
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * x, Tensor(kX, x_extents, false));
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * w, Tensor(kW, w_extents, false));
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

absl::StatusOr<cudnnBackendDescriptor_t> GraphBuilder::Build() {
  struct Step {
    cudnnPointwiseMode_t mode;
    CudnnDescriptor* operand;
  };
  std::vector<Step> steps;
  if (spec_.has_residual) {
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * residual, Tensor(kResidual, OutExtents(), false));
    steps.push_back({CUDNN_POINTWISE_ADD, residual});
  }
  if (spec_.has_bias) {
    NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * bias, Tensor(kBias, {1, spec_.k, 1, 1}, false));
    steps.push_back({CUDNN_POINTWISE_ADD, bias});
  }
  if (spec_.relu) steps.push_back({CUDNN_POINTWISE_RELU_FWD, nullptr});

  std::vector<cudnnBackendDescriptor_t> operations;
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * value,
                          Tensor(steps.empty() ? int64_t{kY} : 100, OutExtents(), !steps.empty()));
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor * convolve, Convolve(value));
  operations.push_back(convolve->get());
  for (size_t i = 0; i < steps.size(); ++i) {
    const bool last = i + 1 == steps.size();
    NEREID_ASSIGN_OR_RETURN(
        CudnnDescriptor * next,
        Tensor(last ? int64_t{kY} : 101 + static_cast<int64_t>(i), OutExtents(), !last));
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
  return graph->get();
}

// Engine configurations the library suggests, the best guess first.
absl::StatusOr<std::vector<CudnnDescriptor>> Suggestions(const Cudnn& library,
                                                         cudnnBackendDescriptor_t graph) {
  constexpr int64_t kMax = 64;
  std::vector<CudnnDescriptor> all;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    NEREID_ASSIGN_OR_RETURN(
        CudnnDescriptor heuristic,
        CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
    NEREID_RETURN_IF_ERROR(
        heuristic.Set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, graph));
    NEREID_RETURN_IF_ERROR(heuristic.Set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode));
    if (!heuristic.Finalize().ok()) continue;
    std::vector<CudnnDescriptor> found;
    std::vector<cudnnBackendDescriptor_t> raw;
    for (int64_t i = 0; i < kMax; ++i) {
      NEREID_ASSIGN_OR_RETURN(
          CudnnDescriptor one,
          CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
      raw.push_back(one.get());
      found.push_back(std::move(one));
    }
    int64_t count = 0;
    const cudnnStatus_t got = library.api().cudnnBackendGetAttribute(
        heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, kMax, &count,
        raw.data());
    if (got != CUDNN_STATUS_SUCCESS) continue;
    count = std::min(count, kMax);
    std::move(found.begin(), found.begin() + count, std::back_inserter(all));
  }
  return all;
}

// True when the engine is compiled at run time, or may give what its type's precision forbids.
absl::StatusOr<bool> Rejected(const Cudnn& library, const CudnnDescriptor& configuration,
                              bool allow_tensor_cores_for_fp32, DataType type) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor engine,
                          CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_ENGINE_DESCRIPTOR));
  cudnnBackendDescriptor_t raw = engine.get();
  int64_t count = 0;
  NEREID_RETURN_IF_ERROR(CudnnStatus(
      library.api().cudnnBackendGetAttribute(configuration.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &raw),
      "cudnnBackendGetAttribute"));
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(library.api().cudnnBackendGetAttribute(
                      engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                      static_cast<int64_t>(notes.size()), &count, notes.data()),
                  "cudnnBackendGetAttribute"));
  for (int64_t i = 0; i < std::min<int64_t>(count, static_cast<int64_t>(notes.size())); ++i) {
    const cudnnBackendNumericalNote_t note = notes[static_cast<size_t>(i)];
    if (note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) return true;
    if (type != DataType::kFp32) continue;
    if (note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION ||
        note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
        (note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && !allow_tensor_cores_for_fp32)) {
      return true;
    }
  }
  std::array<cudnnBackendBehaviorNote_t, CUDNN_BEHAVIOR_NOTE_TYPE_COUNT> behavior{};
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(library.api().cudnnBackendGetAttribute(
                      engine.get(), CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                      static_cast<int64_t>(behavior.size()), &count, behavior.data()),
                  "cudnnBackendGetAttribute"));
  for (int64_t i = 0; i < std::min<int64_t>(count, static_cast<int64_t>(behavior.size())); ++i) {
    if (behavior[static_cast<size_t>(i)] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) return true;
  }
  return false;
}

// Everything the choice of a configuration depends on.
std::string TacticKey(const ConvolutionSpec& s, const Toolbox::Options& options) {
  const auto pair = [](const std::array<int64_t, 2>& values) {
    return StrCat(values[0], ",", values[1]);
  };
  return StrCat(s.transposed ? "transposed " : "", s.n, "x", s.c, "x", s.h, "x", s.w, " to ", s.k,
                " by ", s.r, "x", s.s, " ", ProtocolName(s.type), s.tf32 ? " tf32" : "",
                s.layout == ImageLayout::kNhwc ? " nhwc" : " nchw", " stride ", pair(s.stride),
                " dilation ", pair(s.dilation), " pad ", pair(s.pad_begin), " ", pair(s.pad_end),
                " ", pair(s.output_pad), " groups ", s.groups, s.has_bias ? " +bias" : "",
                s.has_residual ? " +residual" : "", s.relu ? " relu" : "", " of ",
                options.max_candidates, " within ", options.max_workspace_bytes);
}

// An execution plan and the configuration it was made of.
struct Plan {
  CudnnDescriptor configuration;
  CudnnDescriptor plan;
};

class ConvolutionOp final : public DeviceOp {
 public:
  ConvolutionOp(const Cudnn* library, const ConvolutionSpec& spec)
      : library_(library), spec_(spec), builder_(*library, spec_) {}

  absl::Status Build(const Toolbox& toolbox);
  size_t workspace_bytes() const override { return workspace_bytes_; }
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    return Execute(plan_.plan, inputs, outputs, workspace, stream);
  }

 private:
  absl::StatusOr<CudnnDescriptor> MakePlan(const CudnnDescriptor& configuration,
                                           size_t max_workspace_bytes) const;
  absl::StatusOr<std::vector<Plan>> Plans(cudnnBackendDescriptor_t graph,
                                          const Toolbox::Options& options);
  absl::Status Restore(cudnnBackendDescriptor_t graph, const std::string& tactic,
                       const Toolbox::Options& options);
  absl::Status Choose(const Toolbox& toolbox, std::vector<Plan> plans);
  absl::Status Execute(const CudnnDescriptor& plan, absl::Span<const DevicePointer> inputs,
                       absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                       DeviceStream stream) const;

  const Cudnn* const library_;
  const ConvolutionSpec spec_;
  GraphBuilder builder_;  // keeps the graph the plan was made for
  Plan plan_;
  size_t workspace_bytes_ = 0;
};

// A plan of that configuration. UNIMPLEMENTED when the GPU has none, or it wants too much scratch
// memory.
absl::StatusOr<CudnnDescriptor> ConvolutionOp::MakePlan(const CudnnDescriptor& configuration,
                                                        size_t max_workspace_bytes) const {
  NEREID_ASSIGN_OR_RETURN(
      CudnnDescriptor plan,
      CudnnDescriptor::Create(library_->api(), CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(
      plan.Set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, library_->handle()));
  NEREID_RETURN_IF_ERROR(plan.Set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration));
  NEREID_RETURN_IF_ERROR(plan.Finalize());
  NEREID_ASSIGN_OR_RETURN(const int64_t bytes,
                          plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
  if (bytes <= static_cast<int64_t>(max_workspace_bytes)) return plan;
  return absl::UnimplementedError(StrCat(bytes, " bytes of scratch memory"));
}

absl::StatusOr<std::vector<Plan>> ConvolutionOp::Plans(cudnnBackendDescriptor_t graph,
                                                       const Toolbox::Options& options) {
  NEREID_ASSIGN_OR_RETURN(auto suggestions, Suggestions(*library_, graph));
  const auto wanted = static_cast<size_t>(options.race ? std::max(options.max_candidates, 1) : 1);
  std::vector<Plan> plans;
  for (CudnnDescriptor& suggestion : suggestions) {
    if (plans.size() >= wanted) break;
    const auto rejected = Rejected(*library_, suggestion, spec_.tf32, spec_.type);
    if (!rejected.ok() || *rejected) continue;
    auto plan = MakePlan(suggestion, options.max_workspace_bytes);
    if (!plan.ok()) continue;
    plans.push_back({std::move(suggestion), *std::move(plan)});
  }
  if (plans.empty()) {
    return absl::UnimplementedError(StrCat("cuDNN has no convolution of ", spec_.c, " to ", spec_.k,
                                           " channels, filter ", spec_.r, "×", spec_.s, ", ",
                                           ProtocolName(spec_.type)));
  }
  return plans;
}

absl::Status ConvolutionOp::Choose(const Toolbox& toolbox, std::vector<Plan> plans) {
  size_t winner = 0;
  if (plans.size() > 1) {
    NEREID_ASSIGN_OR_RETURN(const auto stream, Stream::Create(toolbox.context()));
    const size_t element = ElementByteSize(spec_.type);
    const auto buffer = [&](int64_t elements) {
      return RaceBuffer(*stream, static_cast<size_t>(elements) * element);
    };
    const int64_t out_elements = spec_.n * spec_.k * spec_.out_h() * spec_.out_w();
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory x, buffer(spec_.n * spec_.c * spec_.h * spec_.w));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory w,
                            buffer(spec_.k * spec_.c / spec_.groups * spec_.r * spec_.s));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory bias, buffer(spec_.k));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory residual,
                            buffer(spec_.has_residual ? out_elements : 0));
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory y, buffer(out_elements));
    int64_t bytes = 0;
    for (const Plan& plan : plans) {
      NEREID_ASSIGN_OR_RETURN(const int64_t needed,
                              plan.plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
      bytes = std::max(bytes, needed);
    }
    NEREID_ASSIGN_OR_RETURN(const DeviceMemory workspace,
                            RaceBuffer(*stream, static_cast<size_t>(bytes)));
    const DevicePointer inputs[] = {x.address(), w.address(), bias.address(), residual.address()};
    const DevicePointer outputs[] = {y.address()};
    std::vector<std::function<absl::Status()>> runs;
    for (const Plan& plan : plans) {
      runs.push_back([&] {
        return Execute(plan.plan, inputs, outputs, workspace.address(), stream->handle());
      });
    }
    NEREID_ASSIGN_OR_RETURN(winner, Race(*stream, runs));
    NEREID_RETURN_IF_ERROR(stream->Synchronize());
  }
  plan_ = std::move(plans[winner]);
  NEREID_ASSIGN_OR_RETURN(const int64_t bytes,
                          plan_.plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
  workspace_bytes_ = static_cast<size_t>(bytes);
  return absl::OkStatus();
}

// A tactic is the words of an engine configuration.
absl::Status ConvolutionOp::Restore(cudnnBackendDescriptor_t graph, const std::string& tactic,
                                    const Toolbox::Options& options) {
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor configuration,
                          MakeEngineConfig(library_->api(), graph, tactic));
  NEREID_ASSIGN_OR_RETURN(const bool rejected,
                          Rejected(*library_, configuration, spec_.tf32, spec_.type));
  if (rejected) return absl::InvalidArgumentError("the configuration is none the race would allow");
  NEREID_ASSIGN_OR_RETURN(CudnnDescriptor plan,
                          MakePlan(configuration, options.max_workspace_bytes));
  NEREID_ASSIGN_OR_RETURN(const int64_t bytes,
                          plan.GetInt(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
  plan_ = {std::move(configuration), std::move(plan)};
  workspace_bytes_ = static_cast<size_t>(bytes);
  return absl::OkStatus();
}

absl::Status ConvolutionOp::Build(const Toolbox& toolbox) {
  NEREID_RETURN_IF_ERROR(toolbox.context()->Bind());
  const Toolbox::Options& options = toolbox.options();
  const std::string library = StrCat("cuDNN ", library_->api().cudnnGetVersion());
  const std::string specification = TacticKey(spec_, options);
  std::vector<Plan> plans;
  {
    const auto lock = library_->lock();
    NEREID_ASSIGN_OR_RETURN(const cudnnBackendDescriptor_t graph, builder_.Build());
    if (options.race) {
      const auto tactic = toolbox.tactics().Find(library, specification);
      if (tactic && Restore(graph, *tactic, options).ok()) return absl::OkStatus();
    }
    NEREID_ASSIGN_OR_RETURN(plans, Plans(graph, options));
  }
  NEREID_RETURN_IF_ERROR(Choose(toolbox, std::move(plans)));
  if (!options.race) return absl::OkStatus();
  const auto words = DescribeEngineConfig(library_->api(), plan_.configuration);
  if (words.ok()) toolbox.tactics().Remember(library, specification, *words);
  return absl::OkStatus();
}

absl::Status ConvolutionOp::Execute(const CudnnDescriptor& plan,
                                    absl::Span<const DevicePointer> inputs,
                                    absl::Span<const DevicePointer> outputs,
                                    DevicePointer workspace, DeviceStream stream) const {
  std::array<int64_t, 5> ids{};
  std::array<void*, 5> pointers{};
  int64_t count = 0;
  const auto add = [&](TensorId id, DevicePointer address) {
    ids[static_cast<size_t>(count)] = id;
    pointers[static_cast<size_t>(count++)] = reinterpret_cast<void*>(address);
  };
  add(kX, inputs[0]);
  add(kW, inputs[1]);
  if (spec_.has_bias) add(kBias, inputs[2]);
  if (spec_.has_residual) add(kResidual, inputs[3]);
  add(kY, outputs[0]);
  NEREID_ASSIGN_OR_RETURN(
      CudnnDescriptor pack,
      CudnnDescriptor::Create(library_->api(), CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(
      pack.Set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, ids.data()));
  NEREID_RETURN_IF_ERROR(
      pack.Set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers.data()));
  NEREID_RETURN_IF_ERROR(pack.Set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR,
                                  reinterpret_cast<void*>(workspace)));
  NEREID_RETURN_IF_ERROR(pack.Finalize());
  const auto lock = library_->lock();
  NEREID_RETURN_IF_ERROR(
      CudnnStatus(library_->api().cudnnSetStream(library_->handle(), static_cast<CUstream>(stream)),
                  "cudnnSetStream"));
  return CudnnStatus(
      library_->api().cudnnBackendExecute(library_->handle(), plan.get(), pack.get()),
      "cudnnBackendExecute");
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeConvolution(Toolbox& toolbox,
                                                          const ConvolutionSpec& spec) {
  if (spec.transposed && (spec.has_bias || spec.has_residual || spec.relu)) {
    return absl::UnimplementedError("a transposed convolution with a fused step");
  }
  NEREID_ASSIGN_OR_RETURN(Cudnn * library, toolbox.cudnn());
  auto op = std::make_unique<ConvolutionOp>(library, spec);
  NEREID_RETURN_IF_ERROR(op->Build(toolbox));
  return op;
}

}  // namespace nereid::engine
