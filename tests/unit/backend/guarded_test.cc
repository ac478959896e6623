#include "backend/guarded.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "common/strings.h"

namespace nereid {
namespace {

// A backend whose every call throws, or returns success without a result.
struct Behaviour {
  bool throws = false;
  int* deleted = nullptr;  // counts models and backends that went, in order
  int model_deleted_as = 0;
  int backend_deleted_as = 0;
};

void MaybeThrow(const Behaviour& behaviour) {
  if (behaviour.throws) throw std::runtime_error("broken");
}

class FakeInstance : public Instance {
 public:
  explicit FakeInstance(Behaviour& behaviour) : behaviour_(behaviour) {}
  absl::Status Execute(Batch&) override {
    MaybeThrow(behaviour_);
    return absl::OkStatus();
  }
  bool Healthy() const override {
    MaybeThrow(behaviour_);
    return true;
  }

 private:
  Behaviour& behaviour_;
};

class FakeModel : public Model {
 public:
  explicit FakeModel(Behaviour& behaviour) : behaviour_(behaviour) {}
  ~FakeModel() override {
    if (behaviour_.deleted != nullptr) behaviour_.model_deleted_as = ++*behaviour_.deleted;
  }
  absl::StatusOr<std::unique_ptr<Instance>> CreateInstance(const InstanceContext&) override {
    MaybeThrow(behaviour_);
    return std::unique_ptr<Instance>();
  }
  MemoryEstimate MemoryUsage() const override {
    MaybeThrow(behaviour_);
    return {{{MemoryPlace{}, 7}}};
  }

 private:
  Behaviour& behaviour_;
};

class FakeBackend : public Backend {
 public:
  explicit FakeBackend(Behaviour& behaviour, bool makes_models = true)
      : behaviour_(behaviour), makes_models_(makes_models) {}
  ~FakeBackend() override {
    if (behaviour_.deleted != nullptr) behaviour_.backend_deleted_as = ++*behaviour_.deleted;
  }
  absl::StatusOr<ConfigProposal> CompleteConfig(const ModelContext& context) override {
    MaybeThrow(behaviour_);
    return Backend::CompleteConfig(context);
  }
  absl::StatusOr<MemoryEstimate> EstimateMemory(const ModelContext& context) override {
    MaybeThrow(behaviour_);
    return Backend::EstimateMemory(context);
  }
  absl::StatusOr<std::unique_ptr<Model>> LoadModel(const ModelContext&) override {
    MaybeThrow(behaviour_);
    if (!makes_models_) return std::unique_ptr<Model>();
    return std::make_unique<FakeModel>(behaviour_);
  }

 private:
  Behaviour& behaviour_;
  const bool makes_models_;
};

void ExpectCaught(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_NE(Message(status).find("unexpected exception: broken"), std::string_view::npos) << status;
}

TEST(Guarded, TurnsEveryExceptionIntoInternal) {
  Behaviour behaviour{.throws = true};
  auto backend = std::make_shared<FakeBackend>(behaviour);
  FakeModel model(behaviour);
  FakeInstance instance(behaviour);
  Batch batch;
  ExpectCaught(GuardedCompleteConfig(*backend, {}).status());
  ExpectCaught(GuardedEstimateMemory(*backend, {}).status());
  ExpectCaught(GuardedLoadModel(backend, {}).status());
  ExpectCaught(GuardedCreateInstance(model, {}).status());
  ExpectCaught(GuardedExecute(instance, batch));
  EXPECT_FALSE(GuardedHealthy(instance));
  EXPECT_TRUE(GuardedMemoryUsage(model).items.empty());
}

TEST(Guarded, TurnsSuccessWithoutAResultIntoInternal) {
  Behaviour behaviour;
  FakeModel model(behaviour);
  auto backend = std::make_shared<FakeBackend>(behaviour, /*makes_models=*/false);
  EXPECT_EQ(GuardedLoadModel(backend, {}).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(GuardedCreateInstance(model, {}).status().code(), absl::StatusCode::kInternal);
}

TEST(Guarded, PassesResultsThrough) {
  Behaviour behaviour;
  FakeModel model(behaviour);
  FakeInstance instance(behaviour);
  Batch batch;
  EXPECT_TRUE(GuardedExecute(instance, batch).ok());
  EXPECT_TRUE(GuardedHealthy(instance));
  EXPECT_EQ(GuardedMemoryUsage(model).items.at(0).byte_size, 7u);
}

TEST(Guarded, KeepsTheBackendUntilItsLastModelHasGone) {
  int deleted = 0;
  Behaviour behaviour{.deleted = &deleted};
  auto backend = std::make_shared<FakeBackend>(behaviour);
  auto model = GuardedLoadModel(std::move(backend), {});
  ASSERT_TRUE(model.ok());
  EXPECT_EQ(deleted, 0);
  model->reset();
  EXPECT_EQ(behaviour.model_deleted_as, 1);
  EXPECT_EQ(behaviour.backend_deleted_as, 2);
}

}  // namespace
}  // namespace nereid
