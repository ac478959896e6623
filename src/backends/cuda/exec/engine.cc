#include "backends/cuda/exec/engine.h"

#include <utility>

#include "common/status_macros.h"

namespace nereid::engine {

Engine::Engine(std::shared_ptr<const EngineModel> model, EngineOptions options)
    : model_(std::move(model)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const EngineModel> model,
                                                       int device, EngineOptions options) {
  std::unique_ptr<Engine> engine(new Engine(std::move(model), std::move(options)));
  NEREID_ASSIGN_OR_RETURN(std::shared_ptr<Context> context, Context::Create(device));
  NEREID_ASSIGN_OR_RETURN(engine->weights_, WeightStore::Create(context));
  NEREID_ASSIGN_OR_RETURN(engine->toolbox_,
                          Toolbox::Create(std::move(context), engine->options_.toolbox));
  return engine;
}

std::shared_ptr<const Program> Engine::Find(const Key& key) {
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
  if (auto program = Find(key)) return program;
  const std::lock_guard building(building_);
  if (auto program = Find(key)) return program;  // somebody else has made it meanwhile
  NEREID_ASSIGN_OR_RETURN(Graph graph, OptimizeFor(*model_, shapes));
  NEREID_ASSIGN_OR_RETURN(
      std::shared_ptr<const Program> program,
      Program::Create(std::move(graph), *toolbox_, *weights_, constants_, options_.program));
  Keep(key, program);
  return program;
}

}  // namespace nereid::engine
