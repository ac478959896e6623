#include "backends/cuda/cuda_instance.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backends/cuda/exec/buckets.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::cuda {
namespace {

constexpr size_t kStagingAlignment = 256;

engine::DevicePointer DeviceAddress(const void* data) {
  return reinterpret_cast<engine::DevicePointer>(data);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaInstance>> CudaInstance::Create(
    std::shared_ptr<engine::Engine> engine, const ModelPlan& plan,
    const engine::Executor::Options& options, int device) {
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<engine::Executor> executor,
                          engine::Executor::Create(engine->context(), options));
  return std::unique_ptr<CudaInstance>(
      new CudaInstance(std::move(engine), std::move(executor), plan, device));
}

CudaInstance::~CudaInstance() { static_cast<void>(executor_->stream().Synchronize()); }

absl::Status CudaInstance::WarmUp(const ModelConfig& config, CudaOptions::Warmup warmup) {
  if (warmup == CudaOptions::Warmup::kNone) return absl::OkStatus();
  std::vector<int64_t> batches = {0};
  if (plan_.model_batches) {
    batches = engine::BatchBuckets(plan_.max_batch_size);
    if (warmup == CudaOptions::Warmup::kEnds) batches = {batches.front(), batches.back()};
    std::ranges::reverse(batches);  // the greatest first: the arena then never grows
  }
  for (const int64_t batch : batches) {
    std::vector<Shape> shapes;
    for (const std::string& name : plan_.input_names) {
      const TensorSpec* spec = config.FindInput(name);
      if (spec == nullptr) return absl::OkStatus();
      Shape shape = spec->backend_dims();
      if (plan_.model_batches) shape.insert(shape.begin(), batch);
      if (std::ranges::any_of(shape, [](int64_t n) { return n < 0; })) return absl::OkStatus();
      shapes.push_back(std::move(shape));
    }
    NEREID_ASSIGN_OR_RETURN(auto program, engine_->ProgramFor(shapes));
    NEREID_RETURN_IF_ERROR(Device(executor_->Bind(std::move(program))));
    for (size_t i = 0; i < executor_->program().inputs().size(); ++i) {
      NEREID_RETURN_IF_ERROR(Device(executor_->stream().Fill(
          executor_->input(i), 0, executor_->program().inputs()[i].byte_size)));
    }
    for (int run = 0; run < 2; ++run) NEREID_RETURN_IF_ERROR(Device(executor_->Run()));
    NEREID_RETURN_IF_ERROR(Device(executor_->stream().Synchronize()));
  }
  return absl::OkStatus();
}

absl::Status CudaInstance::Execute(Batch& batch) {
  absl::Status status = Run(batch);
  if (!status.ok()) {
    // Copies in flight may still read what goes with the requests.
    if (healthy_) status.Update(Device(executor_->stream().Synchronize()));
  }
  fetched_.clear();
  return status;
}

// What the device says; a failure there is one of the instance, memory shortage apart.
absl::Status CudaInstance::Device(absl::Status status) {
  if (!status.ok() && status.code() != absl::StatusCode::kResourceExhausted) healthy_ = false;
  return status;
}

absl::Status CudaInstance::Run(Batch& batch) {
  const int64_t rows = batch.total_batch_size();
  const int64_t bucket =
      plan_.model_batches ? engine::BucketFor(rows, plan_.max_batch_size) : int64_t{0};
  BatchResponses responses(batch, plan_.scatter);
  NEREID_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, ShapesOf(batch, bucket));
  NEREID_ASSIGN_OR_RETURN(auto program, engine_->ProgramFor(shapes));
  NEREID_RETURN_IF_ERROR(Device(executor_->Bind(std::move(program))));
  staging_.used = 0;
  NEREID_RETURN_IF_ERROR(Feed(batch));
  batch.MarkComputeStart();
  NEREID_RETURN_IF_ERROR(Device(executor_->Run()));
  NEREID_RETURN_IF_ERROR(Fetch(batch, responses, bucket));
  NEREID_RETURN_IF_ERROR(Device(executor_->stream().Synchronize()));
  batch.MarkComputeEnd();
  NEREID_RETURN_IF_ERROR(Answer(batch, responses));
  responses.Send();
  return absl::OkStatus();
}

// The shapes of the graph's inputs for this batch, its first extent that of the bucket.
absl::StatusOr<std::vector<Shape>> CudaInstance::ShapesOf(const Batch& batch,
                                                          int64_t bucket) const {
  std::vector<Shape> shapes;
  for (size_t i = 0; i < plan_.input_names.size(); ++i) {
    const std::string& name = plan_.input_names[i];
    const auto* first = batch.request(0).FindInput(name);
    if (first == nullptr) {
      return absl::InvalidArgumentError(StrCat("input '", name, "' is missing"));
    }
    Shape shape = first->shape;
    const size_t rank = engine_->model().graph().input_dims[i].size();
    if (rank == 0) shape.clear();  // clients send one element
    if (plan_.model_batches) {
      for (size_t r = 1; r < batch.size(); ++r) {
        const auto* other = batch.request(r).FindInput(name);
        if (other == nullptr || !std::equal(shape.begin() + 1, shape.end(),
                                            other->shape.begin() + 1, other->shape.end())) {
          return absl::InternalError(
              StrCat("requests with different shapes of input '", name, "' in one batch"));
        }
      }
      shape[0] = bucket;
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

absl::Status CudaInstance::Feed(const Batch& batch) {
  size_t staged = 0;
  for (const engine::ProgramTensor& input : executor_->program().inputs()) {
    staged += input.byte_size + kStagingAlignment;
  }
  for (const engine::ProgramTensor& output : executor_->program().outputs()) {
    staged += output.byte_size + kStagingAlignment;
  }
  if (staged > staging_.memory.size()) {
    staging_.memory = engine::PinnedMemory();
    NEREID_ASSIGN_OR_RETURN(staging_.memory,
                            engine::PinnedMemory::Allocate(engine_->context(), staged));
  }
  for (size_t i = 0; i < plan_.input_names.size(); ++i) {
    NEREID_RETURN_IF_ERROR(FeedInput(batch, i));
  }
  return absl::OkStatus();
}

// The requests' rows one after the other, the copy of each under way while the next is staged.
absl::Status CudaInstance::FeedInput(const Batch& batch, size_t i) {
  const engine::ProgramTensor& tensor = executor_->program().inputs()[i];
  const engine::DevicePointer address = executor_->input(i);
  const size_t requests = plan_.model_batches ? batch.size() : 1;
  size_t at = 0;
  for (size_t r = 0; r < requests; ++r) {
    const auto* input = batch.request(r).FindInput(plan_.input_names[i]);
    if (at + input->data.byte_size() > tensor.byte_size) {
      return absl::InternalError(
          StrCat("input '", plan_.input_names[i], "' has more bytes than its shape says"));
    }
    NEREID_RETURN_IF_ERROR(FeedRows(address + at, input->data));
    at += input->data.byte_size();
  }
  if (at == tensor.byte_size) return absl::OkStatus();
  return Device(executor_->stream().Fill(address + at, 0, tensor.byte_size - at));
}

absl::Status CudaInstance::FeedRows(engine::DevicePointer to, const Payload& data) {
  const MemoryKind kind = data.place().kind;
  if (kind == MemoryKind::kCpu) {
    NEREID_ASSIGN_OR_RETURN(std::byte* const staged, Stage(data.byte_size()));
    data.CopyTo(staged);
    return Device(executor_->stream().CopyToDevice(to, staged, data.byte_size()));
  }
  for (const Payload::Segment& segment : data.segments()) {
    NEREID_RETURN_IF_ERROR(Device(
        kind == MemoryKind::kGpu
            ? executor_->stream().CopyOnDevice(to, DeviceAddress(segment.data()), segment.size())
            : executor_->stream().CopyToDevice(to, segment.data(), segment.size())));
    to += segment.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::byte*> CudaInstance::Stage(size_t byte_size) {
  const size_t at = staging_.used;
  staging_.used += (byte_size + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment;
  if (at + byte_size > staging_.memory.size()) {
    return absl::InternalError("more bytes in a batch than its shapes say");
  }
  return static_cast<std::byte*>(staging_.memory.data()) + at;
}

absl::Status CudaInstance::Fetch(Batch& batch, const BatchResponses& responses, int64_t bucket) {
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    const TensorSpec* spec = plan_.outputs[i];
    if (spec == nullptr || !responses.AnyWants(*spec)) continue;
    const engine::ProgramTensor& tensor = executor_->program().outputs()[i];
    Fetched fetched{i, tensor.shape, {}, nullptr, tensor.byte_size};
    if (plan_.model_batches) {
      if (tensor.shape.empty() || tensor.shape[0] != bucket) {
        return absl::InternalError(StrCat("output '", spec->name, "' has shape ",
                                          ShapeToString(tensor.shape), " for a batch of ", bucket,
                                          ": the model does not batch"));
      }
      fetched.shape[0] = batch.total_batch_size();
      fetched.byte_size = tensor.byte_size / static_cast<size_t>(bucket) *
                          static_cast<size_t>(batch.total_batch_size());
    }
    if (batch.size() == 1) {
      NEREID_ASSIGN_OR_RETURN(
          fetched.buffer,
          batch.request(0).AllocateOutput(*spec, fetched.byte_size, {MemoryKind::kGpu, device_}));
    }
    if (fetched.buffer.data() != nullptr && fetched.buffer.place().kind == MemoryKind::kGpu) {
      NEREID_RETURN_IF_ERROR(Device(executor_->stream().CopyOnDevice(
          DeviceAddress(fetched.buffer.data()), executor_->output(i), fetched.byte_size)));
    } else {
      NEREID_ASSIGN_OR_RETURN(std::byte* const staged, Stage(fetched.byte_size));
      fetched.staged = staged;
      NEREID_RETURN_IF_ERROR(
          Device(executor_->stream().CopyToHost(staged, executor_->output(i), fetched.byte_size)));
    }
    fetched_.push_back(std::move(fetched));
  }
  return absl::OkStatus();
}

absl::Status CudaInstance::Answer(Batch& batch, BatchResponses& responses) {
  for (Fetched& fetched : fetched_) {
    const TensorSpec& spec = *plan_.outputs[fetched.output];
    const DataType type = executor_->program().outputs()[fetched.output].type;
    if (batch.size() > 1) {
      NEREID_RETURN_IF_ERROR(
          responses.AddTensor(spec, type, fetched.shape, {fetched.staged, fetched.byte_size}));
      continue;
    }
    if (fetched.staged != nullptr && fetched.byte_size > 0) {
      std::memcpy(fetched.buffer.data(), fetched.staged, fetched.byte_size);
    }
    NEREID_RETURN_IF_ERROR(
        responses.AddPayload(spec, type, fetched.shape, std::move(fetched.buffer)));
  }
  return absl::OkStatus();
}

}  // namespace nereid::cuda
