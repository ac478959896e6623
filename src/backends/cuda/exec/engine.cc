#include "backends/cuda/exec/engine.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include "backends/cuda/exec/precision_guard.h"
#include "backends/cuda/plan/plan_folder.h"
#include "common/log.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

// Brings the large libraries that the model will need into memory; whoever needs one that is not
// there gets the error then.
void OpenLibraries(const std::shared_ptr<const EngineModel>& model) {
  const auto has = [&](std::initializer_list<std::string_view> ops) {
    return std::ranges::any_of(model->graph().nodes, [&](const Node& node) {
      return std::ranges::find(ops, node.op) != ops.end();
    });
  };
  LoadNvrtc().IgnoreError();
  if (has({"Conv", "ConvTranspose"})) LoadCudnn().IgnoreError();
  if (has({"MatMul", "Gemm", "LSTM", "GRU", "RNN"})) LoadCublasLt().IgnoreError();
}

}  // namespace

std::shared_ptr<PlanCache> OpenPlans(const EngineModel& model, const EngineOptions& options) {
  if (!options.use_plans) return nullptr;
  PlanCacheOptions where = options.plan_cache;
  const std::string shipped = StrCat(model.path(), kPlanSuffix);
  std::error_code error;
  if (where.shipped.empty() && std::filesystem::exists(shipped, error)) where.shipped = shipped;
  if (!where.enabled()) return nullptr;
  return PlanCache::Open(std::move(where), model.Digest());
}

Engine::Engine(std::shared_ptr<const EngineModel> model, EngineOptions options)
    : model_(std::move(model)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const EngineModel> model,
                                                       int device, EngineOptions options) {
  std::unique_ptr<Engine> engine(new Engine(std::move(model), std::move(options)));
  engine->libraries_ = std::async(std::launch::async, OpenLibraries, engine->model_);
  // Making a context takes some hundred milliseconds in the driver; the digest needs the cores.
  std::future<std::shared_ptr<PlanCache>> plans = std::async(
      std::launch::async, OpenPlans, std::cref(*engine->model_), std::cref(engine->options_));
  NEREID_ASSIGN_OR_RETURN(std::shared_ptr<Context> context, Context::Create(device));
  NEREID_ASSIGN_OR_RETURN(engine->weights_, WeightStore::Create(context));
  engine->plans_ = plans.get();
  Toolbox::Options toolbox = engine->options_.toolbox;
  if (toolbox.store == nullptr) toolbox.store = engine->plans_;
  NEREID_ASSIGN_OR_RETURN(engine->toolbox_, Toolbox::Create(std::move(context), toolbox));
  return engine;
}

std::shared_ptr<const Program> Engine::Known(const std::vector<Shape>& key) {
  const std::lock_guard lock(mutex_);
  const auto found = programs_.find(key);
  if (found == programs_.end()) return nullptr;
  ages_.splice(ages_.begin(), ages_, found->second.age);
  return found->second.program;
}

void Engine::Keep(const Key& key, std::shared_ptr<const Program> program) {
  const std::lock_guard lock(mutex_);
  ages_.push_front(key);
  programs_[key] = {std::move(program), ages_.begin()};
  if (programs_.size() <= options_.max_programs) return;
  programs_.erase(ages_.back());
  ages_.pop_back();
}

absl::StatusOr<std::shared_ptr<const Program>> Engine::ProgramFor(absl::Span<const Shape> shapes) {
  const Key key(shapes.begin(), shapes.end());
  if (auto program = Known(key)) return program;
  const std::lock_guard building(building_);
  if (auto program = Known(key)) return program;  // somebody else has made it meanwhile
  NEREID_ASSIGN_OR_RETURN(auto program, MakeProgram(shapes, options_.program));
  WarnOnce(*program);
  NEREID_RETURN_IF_ERROR(Guard(shapes));
  if (plans_ != nullptr) plans_->Save();
  Keep(key, program);
  return program;
}

void Engine::Expect(std::vector<std::vector<Shape>> programs) {
  const std::lock_guard lock(mutex_);
  if (ahead_.valid()) return;
  ahead_ = std::async(std::launch::async, [this, programs = std::move(programs)] {
    for (const Key& key : programs) {
      absl::StatusOr<Graph> graph = OptimizeFor(*model_, key);
      if (graph.ok()) CompileAhead(*std::move(graph), *toolbox_, constants_, options_.program);
    }
  });
}

absl::StatusOr<std::shared_ptr<const Program>> Engine::ProgramForOneOf(
    absl::Span<const std::vector<Shape>> choices) {
  if (auto program = Known(choices.front())) return program;
  if (!options_.background_programs) return ProgramFor(choices.front());
  for (const std::vector<Shape>& choice : choices.subspan(1)) {
    auto program = Known(choice);
    if (program == nullptr) continue;
    MakeInBackground(choices.front());
    return program;
  }
  return ProgramFor(choices.front());
}

void Engine::MakeInBackground(const Key& key) {
  const std::lock_guard lock(mutex_);
  const bool busy = background_.valid() &&
                    background_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  if (busy || failed_.contains(key)) return;
  background_ = std::async(std::launch::async, [this, key] {
    absl::Status made = context()->Bind();
    if (made.ok()) made = ProgramFor(key).status();
    if (made.ok()) return;
    NLOG(Warning) << model_->path()
                  << ": larger batches' programs go on serving smaller ones: " << Message(made);
    const std::lock_guard relock(mutex_);
    failed_.insert(key);
  });
}

absl::StatusOr<std::shared_ptr<const Program>> Engine::MakeProgram(absl::Span<const Shape> shapes,
                                                                   const ProgramOptions& options) {
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(*model_, shapes));
  return MakeProgram(std::move(graph), options);
}

absl::StatusOr<std::shared_ptr<const Program>> Engine::MakeProgram(Graph graph,
                                                                   const ProgramOptions& options) {
  return Program::Create(std::move(graph), *toolbox_, *weights_, constants_, options);
}

void Engine::WarnOnce(const Program& program) {
  if (!program.hidden() || std::exchange(warned_, true)) return;
  NLOG(Warning) << model_->path() << ": " << program.hidden()->cause
                << "; nodes that run on the host, slowly: " << program.hidden()->nodes;
}

absl::Status Engine::Guard(absl::Span<const Shape> shapes) {
  if (guarded_ || options_.max_difference <= 0) return absl::OkStatus();
  NEREID_RETURN_IF_ERROR(GuardPrecision(*this, shapes, options_.max_difference));
  guarded_ = true;
  return absl::OkStatus();
}

}  // namespace nereid::engine
