#include "kernels/cudnn/convolution.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "common/strings.h"
#include "kernels/cudnn/convolution_graph.h"
#include "kernels/cudnn/cudnn.h"
#include "kernels/cudnn/engine_config.h"
#include "kernels/cudnn/plan.h"
#include "kernels/jit/race.h"

namespace nereid::engine {
namespace {

using SharedPlan = std::shared_ptr<const CudnnPlan>;

constexpr char kFirst[] = "the first suggestion";  // in place of a tactic

absl::Status Execute(const Cudnn& library, const ConvolutionSpec& spec, const CudnnPlan& plan,
                     absl::Span<const DevicePointer> inputs,
                     absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                     DeviceStream stream) {
  std::array<int64_t, 5> ids{};
  std::array<void*, 5> pointers{};
  int64_t count = 0;
  const auto add = [&](ConvolutionTensorId id, DevicePointer address) {
    ids[static_cast<size_t>(count)] = id;
    pointers[static_cast<size_t>(count++)] = reinterpret_cast<void*>(address);
  };
  add(kConvolutionX, inputs[0]);
  add(kConvolutionW, inputs[1]);
  if (spec.has_bias) add(kConvolutionBias, inputs[2]);
  if (spec.has_residual) add(kConvolutionResidual, inputs[3]);
  add(kConvolutionY, outputs[0]);
  NEREID_ASSIGN_OR_RETURN(
      CudnnDescriptor pack,
      CudnnDescriptor::Create(library.api(), CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR));
  NEREID_RETURN_IF_ERROR(
      pack.Set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, ids.data()));
  NEREID_RETURN_IF_ERROR(
      pack.Set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers.data()));
  NEREID_RETURN_IF_ERROR(pack.Set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR,
                                  reinterpret_cast<void*>(workspace)));
  NEREID_RETURN_IF_ERROR(pack.Finalize());
  return library.Execute(plan.plan, pack, stream);
}

// The fastest of several, on operands of small numbers.
absl::StatusOr<SharedPlan> Fastest(const Toolbox& toolbox, const Cudnn& library,
                                   const ConvolutionSpec& spec,
                                   absl::Span<const SharedPlan> plans) {
  NEREID_ASSIGN_OR_RETURN(const auto stream, Stream::Create(toolbox.context()));
  const size_t element = ElementByteSize(spec.type);
  const auto buffer = [&](int64_t elements) {
    return RaceBuffer(*stream, static_cast<size_t>(elements) * element);
  };
  const int64_t out_elements = spec.n * spec.k * spec.out_h() * spec.out_w();
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory x, buffer(spec.n * spec.c * spec.h * spec.w));
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory w,
                          buffer(spec.k * spec.c / spec.groups * spec.r * spec.s));
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory bias, buffer(spec.k));
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory residual,
                          buffer(spec.has_residual ? out_elements : 0));
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory y, buffer(out_elements));
  size_t bytes = 0;
  for (const SharedPlan& plan : plans) bytes = std::max(bytes, plan->workspace_bytes);
  NEREID_ASSIGN_OR_RETURN(const DeviceMemory workspace, RaceBuffer(*stream, bytes));
  const DevicePointer inputs[] = {x.address(), w.address(), bias.address(), residual.address()};
  const DevicePointer outputs[] = {y.address()};
  std::vector<std::function<absl::Status()>> runs;
  for (const SharedPlan& plan : plans) {
    runs.push_back([&] {
      return Execute(library, spec, *plan, inputs, outputs, workspace.address(), stream->handle());
    });
  }
  NEREID_ASSIGN_OR_RETURN(const size_t winner, Race(*stream, runs));
  NEREID_RETURN_IF_ERROR(stream->Synchronize());
  return plans[winner];
}

// Finds the plan of a convolution where that makes the least: among those the library keeps, by a
// tactic that is known, in a race.
class PlanFinder {
 public:
  PlanFinder(const Toolbox& toolbox, Cudnn& library, const ConvolutionSpec& spec)
      : toolbox_(toolbox),
        library_(library),
        spec_(spec),
        specification_(SpecificationOf(spec, toolbox.options())) {}

  absl::StatusOr<SharedPlan> Find() const {
    const bool race = toolbox_.options().race;
    const std::optional<std::string> tactic =
        race ? toolbox_.tactics().Find(library_.name(), specification_) : kFirst;
    if (tactic) {
      if (auto kept = library_.plans().Find(KeyOf(*tactic))) return *kept;
    }
    if (!race) return First();
    if (tactic) {
      if (auto restored = Restore(*tactic); restored.ok()) return restored;
    }
    return Winner();
  }

 private:
  std::string KeyOf(std::string_view tactic) const {
    return StrCat("convolution ", specification_, " by ", tactic);
  }
  PlanDemands demands() const {
    return {spec_.type == DataType::kFp32, spec_.tf32, toolbox_.options().max_workspace_bytes};
  }

  absl::StatusOr<std::vector<SharedPlan>> Suggested(int count) const {
    const auto lock = library_.Lock();
    NEREID_ASSIGN_OR_RETURN(const auto graph, MakeConvolutionGraph(library_, spec_));
    NEREID_ASSIGN_OR_RETURN(auto plans, SuggestPlans(library_, graph, demands(),
                                                     static_cast<size_t>(std::max(count, 1))));
    if (!plans.empty()) return plans;
    return absl::UnimplementedError(StrCat("cuDNN has no convolution of ", spec_.c, " to ", spec_.k,
                                           " channels, filter ", spec_.r, "×", spec_.s, ", ",
                                           ProtocolName(spec_.type)));
  }

  absl::StatusOr<SharedPlan> First() const {
    NEREID_ASSIGN_OR_RETURN(const std::vector<SharedPlan> plans, Suggested(1));
    library_.plans().Keep(KeyOf(kFirst), plans[0]);
    return plans[0];
  }

  absl::StatusOr<SharedPlan> Restore(const std::string& tactic) const {
    const auto lock = library_.Lock();
    NEREID_ASSIGN_OR_RETURN(const auto graph, MakeConvolutionGraph(library_, spec_));
    NEREID_ASSIGN_OR_RETURN(SharedPlan plan, RestorePlan(library_, graph, demands(), tactic));
    library_.plans().Keep(KeyOf(tactic), plan);
    return plan;
  }

  absl::StatusOr<SharedPlan> Winner() const {
    NEREID_ASSIGN_OR_RETURN(std::vector<SharedPlan> plans,
                            Suggested(toolbox_.options().max_candidates));
    SharedPlan winner = plans[0];
    if (plans.size() > 1) {
      NEREID_ASSIGN_OR_RETURN(winner, Fastest(toolbox_, library_, spec_, plans));
    }
    const auto lock = library_.Lock();
    plans.clear();
    const auto words = DescribeEngineConfig(library_.api(), winner->configuration);
    if (!words.ok()) return winner;
    toolbox_.tactics().Remember(library_.name(), specification_, *words);
    library_.plans().Keep(KeyOf(*words), winner);
    return winner;
  }

  const Toolbox& toolbox_;
  Cudnn& library_;
  const ConvolutionSpec& spec_;
  const std::string specification_;
};

class ConvolutionOp final : public DeviceOp {
 public:
  ConvolutionOp(const Cudnn& library, const ConvolutionSpec& spec, SharedPlan plan)
      : library_(library), spec_(spec), plan_(std::move(plan)) {}

  size_t workspace_bytes() const override { return plan_->workspace_bytes; }
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    return Execute(library_, spec_, *plan_, inputs, outputs, workspace, stream);
  }

 private:
  const Cudnn& library_;
  const ConvolutionSpec spec_;
  const SharedPlan plan_;
};

// The library's fused implementations want a bias: zeros where there is none.
class WithoutBias final : public DeviceOp {
 public:
  WithoutBias(std::unique_ptr<DeviceOp> convolution, DeviceMemory zeros)
      : convolution_(std::move(convolution)), zeros_(std::move(zeros)) {}

  size_t workspace_bytes() const override { return convolution_->workspace_bytes(); }
  absl::Status Launch(absl::Span<const DevicePointer> inputs,
                      absl::Span<const DevicePointer> outputs, DevicePointer workspace,
                      DeviceStream stream) const override {
    const DevicePointer residual = inputs.size() > 3 ? inputs[3] : 0;
    const DevicePointer with_bias[] = {inputs[0], inputs[1], zeros_.address(), residual};
    return convolution_->Launch(with_bias, outputs, workspace, stream);
  }

 private:
  const std::unique_ptr<DeviceOp> convolution_;
  const DeviceMemory zeros_;
};

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeWithoutBias(Toolbox& toolbox, ConvolutionSpec spec) {
  spec.has_bias = true;
  NEREID_ASSIGN_OR_RETURN(auto convolution, MakeConvolution(toolbox, spec));
  const size_t bytes = static_cast<size_t>(spec.k) * ElementByteSize(spec.type);
  NEREID_ASSIGN_OR_RETURN(DeviceMemory zeros, DeviceMemory::Allocate(toolbox.context(), bytes));
  NEREID_ASSIGN_OR_RETURN(const auto stream, Stream::Create(toolbox.context()));
  NEREID_RETURN_IF_ERROR(stream->Fill(zeros.address(), 0, bytes));
  NEREID_RETURN_IF_ERROR(stream->Synchronize());
  return std::make_unique<WithoutBias>(std::move(convolution), std::move(zeros));
}

}  // namespace

std::string SpecificationOf(const ConvolutionSpec& s, const Toolbox::Options& options) {
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

absl::StatusOr<std::unique_ptr<DeviceOp>> MakeConvolution(Toolbox& toolbox,
                                                          const ConvolutionSpec& spec) {
  if ((spec.relu || spec.has_residual) && !spec.has_bias && !spec.transposed) {
    return MakeWithoutBias(toolbox, spec);
  }
  if (spec.transposed && (spec.has_bias || spec.has_residual || spec.relu)) {
    return absl::UnimplementedError("a transposed convolution with a fused step");
  }
  NEREID_ASSIGN_OR_RETURN(Cudnn * library, toolbox.cudnn());
  NEREID_RETURN_IF_ERROR(toolbox.context()->Bind());
  NEREID_ASSIGN_OR_RETURN(SharedPlan plan, PlanFinder(toolbox, *library, spec).Find());
  return std::make_unique<ConvolutionOp>(*library, spec, std::move(plan));
}

}  // namespace nereid::engine
