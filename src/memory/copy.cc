#include "memory/copy.h"

#include <cstring>

#include "common/status_macros.h"
#include "memory/cuda_driver.h"
#include "memory/host_memory.h"

namespace nereid {
namespace {

absl::Status CopyWithDevice(const Payload& from, const Buffer& to) {
  CudaDriver* driver = CudaDriver::Find();
  if (driver == nullptr) return absl::InternalError("there is no CUDA device to copy with");
  const int device = from.place().HostAccessible() ? to.place().device : from.place().device;
  std::byte* out = to.data();
  for (const Payload::Segment& segment : from.segments()) {
    NEREID_RETURN_IF_ERROR(driver->Copy(device, out, segment.data(), segment.size()));
    out += segment.size();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyBytes(const Payload& from, const Buffer& to) noexcept {
  if (from.byte_size() > to.size())
    return absl::InternalError("no room for the bytes to be copied");
  if (!from.place().HostAccessible() || !to.place().HostAccessible()) {
    return CopyWithDevice(from, to);
  }
  std::byte* out = to.data();
  for (const Payload::Segment& segment : from.segments()) {
    if (segment.empty()) continue;
    std::memmove(out, segment.data(), segment.size());
    out += segment.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<Payload> ToHost(Payload payload) noexcept {
  if (payload.place().HostAccessible()) return payload;
  NEREID_ASSIGN_OR_RETURN(const Buffer copy, AllocateHost(payload.byte_size()));
  NEREID_RETURN_IF_ERROR(CopyBytes(payload, copy));
  return Payload(copy);
}

}  // namespace nereid
