#include "backends/cuda/cuda_instance.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "backend/bytes_tensor.h"
#include "backends/cuda/device/cuda_loss.h"
#include "backends/cuda/exec/buckets.h"
#include "backends/cuda/exec/memory_estimate.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::cuda {
namespace {

// Rows of pinned memory below this are cheaper to gather than to copy one by one.
constexpr size_t kDirectBytes = 32 << 10;
// So many staged bytes are sent on their way while more are staged.
constexpr size_t kUploadBytes = 1 << 20;

engine::DevicePointer DeviceAddress(const void* data) {
  return reinterpret_cast<engine::DevicePointer>(data);
}

// Whether the GPU copies from, or to, the place itself.
bool IsDirect(MemoryPlace place, size_t byte_size) {
  return place.kind == MemoryKind::kGpu ||
         (place.kind == MemoryKind::kPinned && byte_size >= kDirectBytes);
}

// Which of them the program is for.
size_t ChoiceOf(const engine::Program& program, absl::Span<const std::vector<Shape>> choices) {
  const auto is_for = [&](const std::vector<Shape>& shapes) {
    return std::ranges::equal(shapes, program.inputs(), {}, {}, &engine::ProgramTensor::shape);
  };
  return static_cast<size_t>(std::ranges::find_if(choices, is_for) - choices.begin());
}

}  // namespace

absl::StatusOr<std::unique_ptr<CudaInstance>> CudaInstance::Create(
    std::shared_ptr<CudaEngine> engine, const ModelPlan& plan, const CudaMetrics& metrics,
    const engine::Executor::Options& options) {
  NEREID_ASSIGN_OR_RETURN(std::unique_ptr<engine::Executor> executor,
                          engine::Executor::Create((*engine)->context(), options));
  return std::unique_ptr<CudaInstance>(
      new CudaInstance(std::move(engine), std::move(executor), plan, metrics));
}

CudaInstance::~CudaInstance() { static_cast<void>(executor_->stream().Synchronize()); }

absl::Status CudaInstance::WarmUp(const ModelConfig& config, CudaOptions::Warmup warmup) {
  absl::Status status = RunEmptyBatches(config, warmup);
  return status.ok() ? status : Settle(std::move(status));
}

absl::Status CudaInstance::RunEmptyBatches(const ModelConfig& config, CudaOptions::Warmup warmup) {
  const std::vector<std::vector<Shape>> all =
      WarmupShapes(config, (*engine_)->model().graph(), warmup);
  if (all.size() > 1) (*engine_)->Expect({all.begin() + 1, all.end()});
  for (const std::vector<Shape>& shapes : all) {
    NEREID_RETURN_IF_ERROR(Bind(shapes));
    NEREID_RETURN_IF_ERROR(ReserveStaging());
    for (size_t i = 0; i < executor_->program().inputs().size(); ++i) {
      const engine::ProgramTensor& tensor = executor_->program().inputs()[i];
      if (tensor.slot != engine::kOnDevice) {
        executor_->SetHostInput(i, engine::HostTensor(tensor.type, tensor.shape));
        continue;
      }
      NEREID_RETURN_IF_ERROR(
          Device(executor_->stream().Fill(executor_->input(i), 0, tensor.byte_size)));
    }
    for (int run = 0; run < 2; ++run) {
      const absl::Status status = Compute();
      if (!status.ok() && !executor_->refused_data()) return status;  // zeros may make no sense
    }
    NEREID_RETURN_IF_ERROR(Device(executor_->stream().Synchronize()));
    ReportMemory();
  }
  engine_->findings().Save();
  return absl::OkStatus();
}

absl::Status CudaInstance::Execute(Batch& batch) {
  BatchResponses responses(batch, plan_.scatter);
  absl::Status status = Run(batch, responses);
  if (!status.ok()) status = Settle(std::move(status));
  deliveries_.clear();
  ReportMemory();
  return status;
}

// What a call of CUDA says; a failure is one of the instance, memory shortage apart.
absl::Status CudaInstance::Device(absl::Status status) {
  if (!status.ok() && !absl::IsResourceExhausted(status)) healthy_ = false;
  return status;
}

// What a copy from or to memory of a request says. The driver refuses addresses that are not, or no
// longer, mapped: that is not the instance's fault.
absl::Status CudaInstance::Given(absl::Status status) {
  if (status.ok() || absl::IsUnavailable(status)) return Device(std::move(status));
  return absl::InvalidArgumentError(StrCat("memory of the request cannot be used on GPU ",
                                           engine_->device(), ": ", Message(status)));
}

// Waits for copies in flight, which may use memory of the requests, and finds out whether the GPU
// can go on. The status that the requests are answered with.
absl::Status CudaInstance::Settle(absl::Status status) {
  const bool lost = (*engine_)->context()->IsLost(executor_->stream().handle());
  if (Healthy()) return status;
  metrics_.AddFailure();
  const std::string text = StrCat("GPU ", engine_->device(), ": ", Message(status));
  if (!lost) return absl::Status(status.code(), text);
  return absl::UnavailableError(StrCat(text, "; ", Message(engine::CudaLost())));
}

void CudaInstance::ReportMemory() {
  const engine::Program* program = executor_->is_bound() ? &executor_->program() : nullptr;
  if (program != nullptr && program == reported_ && executor_->has_graph() == reported_graph_) {
    return;
  }
  reported_ = program;
  reported_graph_ = executor_->has_graph();
  memory_.Report(executor_->memory_bytes(), staging_.size());
  if (program == nullptr) return;
  engine_->findings().Note(*program, executor_->bound_graph_bytes());
}

absl::Status CudaInstance::Bind(const std::vector<Shape>& shapes) {
  NEREID_ASSIGN_OR_RETURN(auto program, (*engine_)->ProgramFor(shapes));
  return Device(executor_->Bind(std::move(program)));
}

// The first extent of the program that is bound for the batch.
absl::StatusOr<int64_t> CudaInstance::BindFor(const Batch& batch) {
  for (;;) {
    const int64_t rows = batch.total_batch_size();
    std::vector<int64_t> buckets = {plan_.model_batches ? rows : 0};
    if (plan_.model_batches && pads_) buckets = engine::BucketsFor(rows, plan_.max_batch_size);
    std::vector<std::vector<Shape>> choices(1);
    NEREID_ASSIGN_OR_RETURN(choices[0], ShapesOf(batch, buckets[0]));
    std::shared_ptr<const engine::Program> program = (*engine_)->Known(choices[0]);
    if (program == nullptr) {
      for (size_t i = 1; i < buckets.size(); ++i) {
        NEREID_ASSIGN_OR_RETURN(choices.emplace_back(), ShapesOf(batch, buckets[i]));
      }
      NEREID_ASSIGN_OR_RETURN(program, (*engine_)->ProgramForOneOf(choices));
    }
    const int64_t bucket = buckets[ChoiceOf(*program, choices)];
    NEREID_RETURN_IF_ERROR(Device(executor_->Bind(std::move(program))));
    const bool pads = std::exchange(pads_, pads_ && !executor_->program().hidden());
    if (pads == pads_ || !plan_.model_batches || bucket == rows) return bucket;
  }
}

// What an operator on the host makes of the data is no failure of the instance.
absl::Status CudaInstance::Compute() {
  absl::Status status = executor_->Run();
  return executor_->refused_data() ? status : Device(std::move(status));
}

absl::Status CudaInstance::Run(Batch& batch, BatchResponses& responses) {
  // Cheap, and other instances may have been at work on this thread.
  NEREID_RETURN_IF_ERROR(Device((*engine_)->context()->Bind()));
  NEREID_ASSIGN_OR_RETURN(const int64_t bucket, BindFor(batch));
  NEREID_RETURN_IF_ERROR(ReserveStaging());
  NEREID_RETURN_IF_ERROR(Feed(batch));
  batch.MarkComputeStart();
  NEREID_RETURN_IF_ERROR(Compute());
  metrics_.AddHostSteps(executor_->program().host_step_count());
  NEREID_RETURN_IF_ERROR(Fetch(batch, responses, bucket));
  NEREID_RETURN_IF_ERROR(Device(executor_->stream().Synchronize()));
  batch.MarkComputeEnd();
  for (const Delivery& delivery : deliveries_) {
    std::memcpy(delivery.buffer.data(), delivery.staged, delivery.buffer.size());
  }
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
    const size_t rank = (*engine_)->model().graph().input_dims[i].size();
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

// Room for all inputs and outputs of the bound program.
absl::Status CudaInstance::ReserveStaging() {
  staged_ = 0;
  const size_t bytes = engine::StagingRoom(executor_->program());
  if (bytes <= staging_.size()) return absl::OkStatus();
  staging_ = engine::PinnedMemory();
  reported_ = nullptr;
  NEREID_ASSIGN_OR_RETURN(staging_, engine::PinnedMemory::Allocate((*engine_)->context(), bytes));
  return absl::OkStatus();
}

absl::StatusOr<std::byte*> CudaInstance::Stage(size_t byte_size) {
  const size_t at = staged_;
  staged_ += engine::StagingRoom(byte_size);
  if (staged_ > staging_.size()) {
    return absl::InternalError("more bytes in a batch than its shapes say");
  }
  return static_cast<std::byte*>(staging_.data()) + at;
}

absl::Status CudaInstance::Feed(const Batch& batch) {
  for (size_t i = 0; i < plan_.input_names.size(); ++i) {
    const bool on_device = executor_->program().inputs()[i].slot == engine::kOnDevice;
    NEREID_RETURN_IF_ERROR(on_device ? FeedInput(batch, i) : FeedHostInput(batch, i));
  }
  return absl::OkStatus();
}

// Only strings are on the host from the beginning.
absl::Status CudaInstance::FeedHostInput(const Batch& batch, size_t i) {
  const engine::ProgramTensor& tensor = executor_->program().inputs()[i];
  engine::HostTensor strings(tensor.type, tensor.shape);
  const auto wrong = [&] {
    return absl::InvalidArgumentError(
        StrCat("input '", plan_.input_names[i], "' has other strings than its shape says"));
  };
  auto next = strings.mutable_strings().begin();
  const auto end = strings.mutable_strings().end();
  std::vector<std::byte> block;
  const size_t requests = plan_.model_batches ? batch.size() : 1;
  for (size_t r = 0; r < requests; ++r) {
    const Payload& data = batch.request(r).FindInput(plan_.input_names[i])->data;
    block.resize(data.byte_size());
    data.CopyTo(block.data());
    BytesReader reader(block.data(), block.size());
    while (const auto text = reader.Next()) {
      if (next == end) return wrong();
      *next++ = *text;
    }
    if (!reader.AtEnd()) return wrong();
  }
  if (next != end) return wrong();
  executor_->SetHostInput(i, std::move(strings));
  return absl::OkStatus();
}

// The requests' rows one after the other. Those that are staged lie as they will on the device, so
// that a run of them is one copy.
absl::Status CudaInstance::FeedInput(const Batch& batch, size_t i) {
  const engine::ProgramTensor& tensor = executor_->program().inputs()[i];
  const engine::DevicePointer address = executor_->input(i);
  NEREID_ASSIGN_OR_RETURN(std::byte* const staged, Stage(tensor.byte_size));
  size_t at = 0;    // bytes of the input that are taken care of, or staged
  size_t sent = 0;  // of these, before the run that is being staged
  const auto send = [&] {
    const size_t begin = std::exchange(sent, at);
    return Device(executor_->stream().CopyToDevice(address + begin, staged + begin, at - begin));
  };
  const size_t requests = plan_.model_batches ? batch.size() : 1;
  for (size_t r = 0; r < requests; ++r) {
    const Payload& data = batch.request(r).FindInput(plan_.input_names[i])->data;
    const size_t end = at + data.byte_size();
    if (end > tensor.byte_size) {
      return absl::InternalError(
          StrCat("input '", plan_.input_names[i], "' has more bytes than its shape says"));
    }
    if (IsDirect(data.place(), data.byte_size())) {
      NEREID_RETURN_IF_ERROR(send());
      NEREID_RETURN_IF_ERROR(FeedDirectly(address + at, data));
      sent = at = end;
      continue;
    }
    data.CopyTo(staged + at);
    at = end;
    if (at - sent >= kUploadBytes) NEREID_RETURN_IF_ERROR(send());
  }
  NEREID_RETURN_IF_ERROR(send());
  return Device(executor_->stream().Fill(address + at, 0, tensor.byte_size - at));
}

absl::Status CudaInstance::FeedDirectly(engine::DevicePointer to, const Payload& data) {
  const engine::Stream& stream = executor_->stream();
  for (const Payload::Segment& segment : data.segments()) {
    NEREID_RETURN_IF_ERROR(
        Given(data.place().kind == MemoryKind::kGpu
                  ? stream.CopyOnDevice(to, DeviceAddress(segment.data()), segment.size())
                  : stream.CopyToDevice(to, segment.data(), segment.size())));
    to += segment.size();
  }
  return absl::OkStatus();
}

absl::Status CudaInstance::Fetch(const Batch& batch, BatchResponses& responses, int64_t bucket) {
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    const TensorSpec* spec = plan_.outputs[i];
    if (spec == nullptr || !responses.AnyWants(*spec)) continue;
    const engine::ProgramTensor& tensor = executor_->program().outputs()[i];
    const bool on_device = tensor.slot == engine::kOnDevice;
    Shape shape = on_device ? tensor.shape : executor_->host_output(i).shape();
    if (plan_.model_batches) {
      if (shape.empty() || shape[0] != bucket) {
        return absl::InternalError(StrCat("output '", spec->name, "' has shape ",
                                          ShapeToString(shape), " for a batch of ", bucket,
                                          ": the model does not batch"));
      }
      shape[0] = batch.total_batch_size();
    }
    if (!on_device) {
      NEREID_RETURN_IF_ERROR(FetchHostOutput(*spec, executor_->host_output(i), responses));
      continue;
    }
    NEREID_ASSIGN_OR_RETURN(
        const BatchResponses::Slices slices,
        responses.AddBuffers(*spec, tensor.type, shape, {MemoryKind::kGpu, engine_->device()}));
    NEREID_RETURN_IF_ERROR(FetchOutput(i, slices));
  }
  return absl::OkStatus();
}

absl::Status CudaInstance::FetchHostOutput(const TensorSpec& spec, const engine::HostTensor& tensor,
                                           BatchResponses& responses) {
  if (tensor.type() != spec.data_type) {
    return absl::InternalError(StrCat("output '", spec.name, "' is of type ",
                                      ProtocolName(tensor.type()), ", not ",
                                      ProtocolName(spec.data_type)));
  }
  if (tensor.type() == DataType::kBytes) {
    std::string text;
    std::vector<size_t> offsets;
    for (const std::string& element : tensor.strings()) {
      offsets.push_back(text.size());
      text += element;
    }
    return responses.AddStrings(spec, tensor.shape(), {text.data(), text.size(), offsets});
  }
  NEREID_ASSIGN_OR_RETURN(const BatchResponses::Slices slices,
                          responses.AddBuffers(spec, tensor.type(), tensor.shape(), {}));
  for (const auto& [offset, buffer] : slices) {
    if (buffer.place().kind != MemoryKind::kGpu) {
      std::memcpy(buffer.data(), tensor.bytes() + offset, buffer.size());
      continue;
    }
    NEREID_RETURN_IF_ERROR(Device(executor_->stream().CopyToDevice(
        DeviceAddress(buffer.data()), tensor.bytes() + offset, buffer.size())));
  }
  return absl::OkStatus();
}

// What goes through the staging memory goes there in one copy.
absl::Status CudaInstance::FetchOutput(size_t i, const BatchResponses::Slices& slices) {
  const engine::Stream& stream = executor_->stream();
  const engine::DevicePointer address = executor_->output(i);
  const auto is_direct = [](const Buffer& buffer) {
    return IsDirect(buffer.place(), buffer.size());
  };
  size_t begin = executor_->program().outputs()[i].byte_size;
  size_t end = 0;
  for (const auto& [offset, buffer] : slices) {
    if (!is_direct(buffer)) {
      begin = std::min(begin, offset);
      end = std::max(end, offset + buffer.size());
      continue;
    }
    NEREID_RETURN_IF_ERROR(Device(
        buffer.place().kind == MemoryKind::kGpu
            ? stream.CopyOnDevice(DeviceAddress(buffer.data()), address + offset, buffer.size())
            : stream.CopyToHost(buffer.data(), address + offset, buffer.size())));
  }
  if (begin >= end) return absl::OkStatus();
  NEREID_ASSIGN_OR_RETURN(std::byte* const staged, Stage(end - begin));
  for (const auto& [offset, buffer] : slices) {
    if (!is_direct(buffer)) deliveries_.push_back({staged + offset - begin, buffer});
  }
  return Device(stream.CopyToHost(staged, address + begin, end - begin));
}

}  // namespace nereid::cuda
