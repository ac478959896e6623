#include "backends/cuda/exec/precision_guard.h"

#include <algorithm>
#include <utility>

#include "backends/cuda/exec/offender.h"
#include "backends/cuda/exec/random_inputs.h"
#include "backends/cuda/exec/run_once.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {

bool IsExact(const PrecisionOptions& precision) {
  return precision.precision == Precision::kFp32 &&
         std::ranges::all_of(precision.layers,
                             [](const auto& layer) { return layer.second == Precision::kFp32; });
}

absl::StatusOr<PrecisionReport> ComparePrecision(Engine& engine,
                                                 absl::Span<const HostTensor> inputs,
                                                 double bound) {
  std::vector<Shape> shapes;
  for (const HostTensor& input : inputs) shapes.push_back(input.shape());
  NEREID_ASSIGN_OR_RETURN(const Graph graph, OptimizeFor(engine.model(), shapes));
  const auto run =
      [&](const Graph& trial,
          const PrecisionOptions& precision) -> absl::StatusOr<std::vector<HostTensor>> {
    ProgramOptions options = engine.options().program;
    options.precision = precision;
    NEREID_ASSIGN_OR_RETURN(auto program, engine.MakeProgram(trial, options));
    return RunOnce(engine.context(), std::move(program), inputs);
  };
  PrecisionOptions exact;
  exact.precision = Precision::kFp32;
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> want, run(graph, exact));
  const PrecisionOptions& fast = engine.options().program.precision;
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> got, run(graph, fast));
  PrecisionReport report{CompareOutputs(graph, got, want), std::nullopt};
  if (!AnyExceeds(report.outputs, bound)) return report;
  const auto is_bad = [&](const Graph& trial,
                          const PrecisionOptions& options) -> absl::StatusOr<bool> {
    NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> outputs, run(trial, options));
    return AnyExceeds(CompareOutputs(trial, outputs, want), bound);
  };
  NEREID_ASSIGN_OR_RETURN(report.offender, FindOffender(graph, fast, is_bad));
  return report;
}

absl::Status GuardPrecision(Engine& engine, absl::Span<const Shape> shapes, double bound) {
  const PrecisionOptions& precision = engine.options().program.precision;
  if (IsExact(precision)) return absl::OkStatus();
  constexpr uint64_t kSeed = 1;
  NEREID_ASSIGN_OR_RETURN(const std::vector<HostTensor> inputs,
                          RandomInputs(engine.model().graph(), shapes, {}, kSeed));
  NEREID_ASSIGN_OR_RETURN(const PrecisionReport report, ComparePrecision(engine, inputs, bound));
  for (const Difference& output : report.outputs) {
    if (!output.Exceeds(bound)) continue;
    return absl::FailedPreconditionError(StrCat(
        "in ", PrecisionName(precision.precision), ", ", Describe(output),
        "; check_precision allows ", bound, ". ",
        report.offender ? StrCat("The first node to blame is ", *report.offender,
                                 "; parameter 'precision.<node>' = 'fp32' keeps a node exact")
                        : std::string("No single node is to blame")));
  }
  return absl::OkStatus();
}

}  // namespace nereid::engine
