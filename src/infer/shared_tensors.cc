#include "infer/shared_tensors.h"

#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "config/first_gpu.h"
#include "memory/copy.h"
#include "memory/host_memory.h"

namespace nereid {
namespace {

absl::Status TooSmall(std::string_view output, size_t room, size_t byte_size) {
  return absl::InternalError(StrCat("shared memory size specified with the request for output '",
                                    output, "' (", room, " bytes) should be at least ", byte_size,
                                    " bytes to hold the results"));
}

absl::Status BringToHost(OutputTensor& output) {
  if (output.data.place().HostAccessible()) return absl::OkStatus();
  absl::StatusOr<Payload> data = ToHost(std::move(output.data));
  if (!data.ok()) {
    return absl::Status(data.status().code(),
                        StrCat("output '", output.spec->name, "': ", Message(data.status())));
  }
  output.data = *std::move(data);
  return absl::OkStatus();
}

absl::Status BringAllToHost(InferResponse& response) {
  for (OutputTensor& output : response.outputs) NEREID_RETURN_IF_ERROR(BringToHost(output));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Buffer> SharedTensors::Use(const SharedMemoryRange& range) {
  NEREID_ASSIGN_OR_RETURN(SharedMemoryRegistry::Lease lease,
                          registry_->Use(range, FirstGpu(*config_)));
  leases_.push_back(std::move(lease));
  return leases_.back().buffer();
}

absl::StatusOr<Payload> SharedTensors::ReadInput(const SharedMemoryRange& range, DataType type) {
  NEREID_ASSIGN_OR_RETURN(const Buffer bytes, Use(range));
  if (type != DataType::kBytes) return Payload(bytes);
  NEREID_ASSIGN_OR_RETURN(const Buffer copy, AllocateHost(bytes.size()));
  NEREID_RETURN_IF_ERROR(CopyBytes(bytes, copy));
  return Payload(copy);
}

absl::Status SharedTensors::AddOutput(std::string_view name, const SharedMemoryRange& range) {
  NEREID_ASSIGN_OR_RETURN(Buffer room, Use(range));
  outputs_.push_back({name, std::move(room)});
  return absl::OkStatus();
}

const SharedTensors::Output* SharedTensors::FindOutput(std::string_view name) const {
  for (const Output& output : outputs_) {
    if (output.name == name) return &output;
  }
  return nullptr;
}

absl::StatusOr<Buffer> SharedTensors::Allocate(const TensorSpec& spec, size_t byte_size,
                                               MemoryPlace preferred) const {
  const Output* output = FindOutput(spec.name);
  if (output == nullptr) return AllocateHost(byte_size);
  const Buffer& room = output->room;
  if (byte_size > room.size()) return TooSmall(spec.name, room.size(), byte_size);
  // A GPU's memory is for whoever works on that GPU; for others it is filled on delivery.
  if (!room.place().HostAccessible() && room.place() != preferred) return AllocateHost(byte_size);
  return Buffer(room.owner(), room.data(), byte_size, room.place());
}

absl::Status SharedTensors::Deliver(InferResponse& response) const {
  for (OutputTensor& tensor : response.outputs) {
    const Output* output = FindOutput(tensor.spec->name);
    if (output == nullptr) {
      NEREID_RETURN_IF_ERROR(BringToHost(tensor));
      continue;
    }
    const Payload& data = tensor.data;
    if (data.byte_size() > output->room.size()) {
      return TooSmall(output->name, output->room.size(), data.byte_size());
    }
    const bool is_there = data.contiguous() && data.data() == output->room.data();
    if (!is_there) NEREID_RETURN_IF_ERROR(CopyBytes(data, output->room));
    tensor.data = Payload();
  }
  for (const SharedMemoryRegistry::Lease& lease : leases_) NEREID_RETURN_IF_ERROR(lease.Check());
  return absl::OkStatus();
}

absl::StatusOr<Buffer> AllocateOutput(const SharedTensors* shared, const TensorSpec& spec,
                                      size_t byte_size, MemoryPlace preferred) noexcept {
  return shared == nullptr ? AllocateHost(byte_size) : shared->Allocate(spec, byte_size, preferred);
}

void DeliverOutputs(const SharedTensors* shared, InferResponse& response) noexcept {
  if (!response.status.ok()) return;
  response.status = shared == nullptr ? BringAllToHost(response) : shared->Deliver(response);
}

}  // namespace nereid
