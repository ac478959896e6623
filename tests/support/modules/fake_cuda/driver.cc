#include <cuda.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "support/modules/fake_cuda/fake_cuda.h"

// As CUctx_st and its like are only declared, handles are addresses of objects of our own.
namespace {

using nereid::testing::FakeCudaState;

constexpr int kMaxDevices = FakeCudaState::kMaxDevices;

enum class Kind { kStream, kEvent, kGraph, kModule };

struct Device {
  int ordinal = 0;
  int retained = 0;
};

struct Object {
  Kind kind;
  Device* device;
  bool capturing = false;
  size_t nodes = 0;
  size_t bytes = 0;  // that it takes on the device
  double clock = 0;  // microseconds: a stream's, when an event was recorded, what a graph takes
  double captured = 0;
};

struct Block {
  std::unique_ptr<std::byte[]> bytes;
  size_t size = 0;
  Device* device = nullptr;  // null: pinned

  // Small blocks share pages, others have theirs alone.
  size_t taken() const {
    constexpr size_t kSmallUnit = 512, kPage = size_t{2} << 20;
    const size_t unit = device == nullptr ? 1 : size < kPage / 2 ? kSmallUnit : kPage;
    return (size + unit - 1) / unit * unit;
  }
};

struct Failure {
  CUresult result = CUDA_SUCCESS;
  int times = 0;
  int skip = 0;
  const char* trigger = nullptr;  // file that has to be there, and is removed
};

uint64_t Number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

bool IsFatal(CUresult result) {
  return result == CUDA_ERROR_ILLEGAL_ADDRESS || result == CUDA_ERROR_LAUNCH_FAILED ||
         result == CUDA_ERROR_MISALIGNED_ADDRESS || result == CUDA_ERROR_ASSERT ||
         result == CUDA_ERROR_ECC_UNCORRECTABLE;
}

struct Driver {
  std::mutex mutex;
  const int device_count =
      std::min(static_cast<int>(Number("NEREID_FAKE_CUDA_DEVICES", 2)), kMaxDevices);
  uint64_t total = Number("NEREID_FAKE_CUDA_MEMORY", uint64_t{1} << 30);
  std::array<Device, kMaxDevices> devices;
  std::map<uint64_t, Block> blocks;  // by address
  std::map<Object*, std::unique_ptr<Object>> objects;
  std::map<std::string, Failure, std::less<>> failures;
  std::map<std::string, int64_t, std::less<>> calls;
  CUresult fatal = CUDA_SUCCESS;  // once there is one, what every call answers for good
  FakeCudaState state{};

  Driver() {
    for (int i = 0; i < kMaxDevices; ++i) devices[static_cast<size_t>(i)].ordinal = i;
    const char* fail = std::getenv("NEREID_FAKE_CUDA_FAIL");
    const char* trigger = std::getenv("NEREID_FAKE_CUDA_FAIL_FILE");
    if (fail == nullptr) return;
    std::string_view text = fail;
    const size_t code = text.find(':');
    if (code == std::string_view::npos) return;
    Failure& failure = failures[std::string(text.substr(0, code))];
    char* end = nullptr;
    failure.result = static_cast<CUresult>(std::strtol(fail + code + 1, &end, 10));
    failure.skip = *end == ':' ? static_cast<int>(std::strtol(end + 1, nullptr, 10)) : 0;
    failure.times = trigger == nullptr ? 1 : std::numeric_limits<int>::max();
    failure.trigger = trigger;
  }

  CUresult Misuse(CUresult result) {
    ++state.misuses;
    return result;
  }
};

Driver& D() {
  static Driver& driver = *new Driver;
  return driver;
}

thread_local Device* current = nullptr;
thread_local std::vector<Device*> pushed;

// What a call works on.
enum class On {
  kContext,  // the one that is current
  kProcess,  // contexts in general
  kNothing,  // it only tells, or lets go: that works for ever
};

// What every function begins with: counts the call and holds the driver until the function ends.
class Call {
 public:
  explicit Call(std::string_view name, On on = On::kContext) : lock_(D().mutex) {
    if (name.ends_with("_v2")) name.remove_suffix(3);
    ++D().calls.try_emplace(std::string(name)).first->second;
    if (on != On::kNothing && D().fatal != CUDA_SUCCESS) {
      result_ = D().fatal;
    } else if (on == On::kContext && current == nullptr) {
      result_ = D().Misuse(CUDA_ERROR_INVALID_CONTEXT);
    } else if (const auto found = D().failures.find(name); found != D().failures.end()) {
      Failure& failure = found->second;
      if (failure.times > 0 && (failure.skip <= 0 || failure.skip-- <= 0) &&
          (failure.trigger == nullptr || unlink(failure.trigger) == 0)) {
        --failure.times;
        result_ = failure.result;
        if (IsFatal(result_)) D().fatal = result_;
      }
    }
  }
  CUresult result() const { return result_; }

 private:
  const std::lock_guard<std::mutex> lock_;
  CUresult result_ = CUDA_SUCCESS;
};

#define ENTER(...)                                      \
  const Call call(__func__ __VA_OPT__(, ) __VA_ARGS__); \
  if (call.result() != CUDA_SUCCESS) return call.result()

// The block that holds [address, address + bytes), or the end of it.
std::map<uint64_t, Block>::iterator BlockOf(uint64_t address, size_t bytes) {
  auto at = D().blocks.upper_bound(address);
  if (at == D().blocks.begin()) return D().blocks.end();
  --at;
  return address + bytes <= at->first + at->second.size ? at : D().blocks.end();
}

bool OnDevice(uint64_t address, size_t bytes) {
  const auto block = BlockOf(address, bytes);
  return block != D().blocks.end() && block->second.device != nullptr;
}

void TakeDeviceBytes(const Device& device, size_t bytes) {
  uint64_t& used = D().state.device_bytes[device.ordinal];
  uint64_t& peak = D().state.peak_bytes[device.ordinal];
  used += bytes;
  peak = std::max(peak, used);
}

CUresult NewBlock(size_t bytes, Device* device, uint64_t* address) {
  if (bytes == 0) return D().Misuse(CUDA_ERROR_INVALID_VALUE);
  FakeCudaState& state = D().state;
  Block block{nullptr, bytes, device};
  if (device != nullptr && state.device_bytes[device->ordinal] + block.taken() > D().total) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  block.bytes = std::make_unique<std::byte[]>(bytes);
  *address = reinterpret_cast<uint64_t>(block.bytes.get());
  if (device == nullptr) {
    state.pinned_bytes += bytes;
  } else {
    TakeDeviceBytes(*device, block.taken());
  }
  D().blocks.emplace(*address, std::move(block));
  return CUDA_SUCCESS;
}

CUresult FreeBlock(uint64_t address, bool on_device) {
  const auto block = D().blocks.find(address);
  if (block == D().blocks.end() || (block->second.device != nullptr) != on_device) {
    return D().Misuse(CUDA_ERROR_INVALID_VALUE);
  }
  (on_device ? D().state.device_bytes[block->second.device->ordinal] : D().state.pinned_bytes) -=
      block->second.taken();
  D().blocks.erase(block);
  return CUDA_SUCCESS;
}

int64_t& CountOf(Kind kind) {
  FakeCudaState& state = D().state;
  switch (kind) {
    case Kind::kStream:
      return state.streams;
    case Kind::kEvent:
      return state.events;
    case Kind::kGraph:
      return state.graphs;
    default:
      return state.modules;
  }
}

template <typename Handle>
CUresult NewObject(Kind kind, Handle* handle, size_t nodes = 0, size_t bytes = 0,
                   double clock = 0) {
  auto object = std::make_unique<Object>(Object{kind, current, false, nodes, bytes, clock});
  TakeDeviceBytes(*current, bytes);
  *handle = reinterpret_cast<Handle>(object.get());
  D().objects.emplace(object.get(), std::move(object));
  ++CountOf(kind);
  return CUDA_SUCCESS;
}

template <typename Handle>
Object* Find(Kind kind, Handle handle) {
  static Object& own_stream = *new Object{Kind::kStream, nullptr};
  if (kind == Kind::kStream && reinterpret_cast<CUstream>(handle) == CU_STREAM_PER_THREAD) {
    return &own_stream;
  }
  const auto found = D().objects.find(reinterpret_cast<Object*>(handle));
  const bool good = found != D().objects.end() && found->first->kind == kind;
  if (!good) ++D().state.misuses;
  return good ? found->first : nullptr;
}

template <typename Handle>
CUresult Destroy(Kind kind, Handle handle) {
  Object* object = Find(kind, handle);
  if (object == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  --CountOf(kind);
  D().state.device_bytes[object->device->ordinal] -= object->bytes;
  D().objects.erase(object);
  return CUDA_SUCCESS;
}

// Work on a stream: `now` runs unless the stream is being captured.
template <typename Now>
CUresult Queue(CUstream stream, Now now, double microseconds = 1) {
  Object* object = Find(Kind::kStream, stream);
  if (object == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  (object->capturing ? object->captured : object->clock) += microseconds;
  if (object->capturing) {
    ++object->nodes;
    return CUDA_SUCCESS;
  }
  now();
  return CUDA_SUCCESS;
}

double MicrosecondsFor(size_t bytes) { return 1 + static_cast<double>(bytes) / 1024; }

CUresult Copy(CUstream stream, void* to, const void* from, size_t bytes, bool valid) {
  if (!valid) return D().Misuse(CUDA_ERROR_INVALID_VALUE);
  return Queue(
      stream, [&] { std::memcpy(to, from, bytes); }, MicrosecondsFor(bytes));
}

void* Host(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

Device* DeviceAt(int ordinal) {
  return ordinal >= 0 && ordinal < D().device_count ? &D().devices[static_cast<size_t>(ordinal)]
                                                    : nullptr;
}

}  // namespace

extern "C" {

void fake_cuda_state(FakeCudaState* state) {
  const std::lock_guard lock(D().mutex);
  *state = D().state;
  state->lost = D().fatal != CUDA_SUCCESS;
}
void fake_cuda_fail(const char* function, int result, int times, int skip) {
  const std::lock_guard lock(D().mutex);
  D().failures[function] = {static_cast<CUresult>(result), times, skip, nullptr};
}
int64_t fake_cuda_calls(const char* function) {
  const std::lock_guard lock(D().mutex);
  return D().calls[function];
}
void fake_cuda_count(const char* function) {
  const std::lock_guard lock(D().mutex);
  ++D().calls[function];
}
void fake_cuda_misuse() {
  const std::lock_guard lock(D().mutex);
  ++D().state.misuses;
}
CUresult fake_cuda_launch(CUstream stream) {
  const Call call("cuLaunchKernel");
  return call.result() == CUDA_SUCCESS ? Queue(stream, [] {}) : call.result();
}
void fake_cuda_set_memory(uint64_t bytes) {
  const std::lock_guard lock(D().mutex);
  D().total = bytes;
}

CUresult cuInit(unsigned) {
  ENTER(On::kNothing);
  return D().device_count == 0 ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int* version) {
  ENTER(On::kNothing);
  *version = 13000;
  return CUDA_SUCCESS;
}
CUresult cuGetErrorName(CUresult error, const char** name) {
  constexpr struct {
    CUresult code;
    const char* name;
  } kNames[] = {
      {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"},
      {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"},
      {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"},
      {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"},
      {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"},
      {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"},
      {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"},
  };
  for (const auto& row : kNames) {
    if (row.code == error) *name = row.name;
  }
  return CUDA_SUCCESS;
}
CUresult cuGetErrorString(CUresult error, const char** text) { return cuGetErrorName(error, text); }

CUresult cuDeviceGetCount(int* count) {
  ENTER(On::kNothing);
  *count = D().device_count;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  ENTER(On::kNothing);
  *device = ordinal;
  return DeviceAt(ordinal) == nullptr ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char* name, int size, CUdevice) {
  ENTER(On::kNothing);
  std::strncpy(name, "Fake GPU", static_cast<size_t>(size));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  ENTER(On::kNothing);
  std::memset(uuid, device + 1, sizeof(*uuid));
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
  ENTER(On::kNothing);
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
      *value = 9;
      break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
      *value = 132;
      break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
      *value = 227 << 10;
      break;
    default:
      *value = 0;
  }
  return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem(size_t* bytes, CUdevice) {
  ENTER(On::kNothing);
  *bytes = D().total;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  ENTER(On::kProcess);
  Device* at = DeviceAt(device);
  if (at == nullptr) return D().Misuse(CUDA_ERROR_INVALID_DEVICE);
  ++at->retained;
  ++D().state.contexts;
  *context = reinterpret_cast<CUcontext>(at);
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
  ENTER(On::kNothing);
  Device* at = DeviceAt(device);
  if (at == nullptr || at->retained == 0) return D().Misuse(CUDA_ERROR_INVALID_CONTEXT);
  --at->retained;
  --D().state.contexts;
  return CUDA_SUCCESS;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  ENTER(On::kProcess);
  current = reinterpret_cast<Device*>(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext* context) {
  ENTER(On::kProcess);
  *context = reinterpret_cast<CUcontext>(current);
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext context) {
  ENTER(On::kProcess);
  pushed.push_back(current);
  current = reinterpret_cast<Device*>(context);
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext* context) {
  ENTER(On::kProcess);
  *context = reinterpret_cast<CUcontext>(current);
  if (pushed.empty()) return D().Misuse(CUDA_ERROR_INVALID_CONTEXT);
  current = pushed.back();
  pushed.pop_back();
  return CUDA_SUCCESS;
}
CUresult cuCtxSynchronize() {
  ENTER();
  return CUDA_SUCCESS;
}

CUresult cuMemGetInfo(size_t* available, size_t* total) {
  ENTER();
  *total = D().total;
  *available = D().total - std::min(D().total, D().state.device_bytes[current->ordinal]);
  return CUDA_SUCCESS;
}
CUresult cuMemAlloc(CUdeviceptr* address, size_t bytes) {
  ENTER();
  uint64_t at = 0;
  const CUresult result = NewBlock(bytes, current, &at);
  *address = at;
  return result;
}
CUresult cuMemFree(CUdeviceptr address) {
  ENTER();
  return FreeBlock(address, true);
}
CUresult cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  ENTER();
  uint64_t at = 0;
  const CUresult result = NewBlock(bytes, nullptr, &at);
  *address = Host(at);
  return result;
}
// Host memory outlives the context it was made in.
CUresult cuMemFreeHost(void* address) {
  const Call call(__func__, On::kNothing);
  return FreeBlock(reinterpret_cast<uint64_t>(address), false);
}
CUresult cuMemHostGetDevicePointer(CUdeviceptr* address, void* host, unsigned) {
  ENTER();
  *address = reinterpret_cast<CUdeviceptr>(host);
  return CUDA_SUCCESS;
}

CUresult cuMemHostRegister(void*, size_t bytes, unsigned) {
  ENTER();
  return bytes == 0 ? D().Misuse(CUDA_ERROR_INVALID_VALUE) : CUDA_SUCCESS;
}
CUresult cuMemHostUnregister(void*) {
  ENTER();
  return CUDA_SUCCESS;
}
CUresult cuMemGetAddressRange(CUdeviceptr* base, size_t* size, CUdeviceptr address) {
  ENTER();
  const auto block = BlockOf(address, 1);
  if (block == D().blocks.end()) return CUDA_ERROR_NOT_FOUND;
  if (base != nullptr) *base = block->first;
  if (size != nullptr) *size = block->second.size;
  return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  ENTER();
  return Copy(stream, Host(to), from, bytes, OnDevice(to, bytes));
}
CUresult cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER();
  return Copy(stream, to, Host(from), bytes, OnDevice(from, bytes));
}
CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER();
  return Copy(stream, Host(to), Host(from), bytes, OnDevice(to, bytes) && OnDevice(from, bytes));
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  ENTER();
  // One side at least; the other may be host memory that is not ours.
  const bool valid =
      BlockOf(to, bytes) != D().blocks.end() || BlockOf(from, bytes) != D().blocks.end();
  return Copy(stream, Host(to), Host(from), bytes, valid);
}
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t bytes,
                           CUstream stream) {
  ENTER();
  return Copy(stream, Host(to), Host(from), bytes, OnDevice(to, bytes) && OnDevice(from, bytes));
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  ENTER();
  if (!OnDevice(to, count)) return D().Misuse(CUDA_ERROR_INVALID_VALUE);
  return Queue(
      stream, [&] { std::memset(Host(to), value, count); }, MicrosecondsFor(count));
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  ENTER();
  if (!OnDevice(to, 4 * count)) return D().Misuse(CUDA_ERROR_INVALID_VALUE);
  return Queue(
      stream, [&] { std::fill_n(static_cast<unsigned*>(Host(to)), count, value); },
      MicrosecondsFor(4 * count));
}

CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned, int) {
  ENTER();
  return NewObject(Kind::kStream, stream);
}
CUresult cuStreamDestroy(CUstream stream) {
  ENTER();
  return Destroy(Kind::kStream, stream);
}
CUresult cuStreamSynchronize(CUstream stream) {
  ENTER();
  Object* object = Find(Kind::kStream, stream);
  return object == nullptr   ? CUDA_ERROR_INVALID_HANDLE
         : object->capturing ? D().Misuse(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)
                             : CUDA_SUCCESS;
}
CUresult cuStreamQuery(CUstream stream) {
  ENTER();
  return Find(Kind::kStream, stream) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  ENTER();
  if (Find(Kind::kEvent, event) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return Find(Kind::kStream, stream) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
CUresult cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode) {
  ENTER();
  Object* object = Find(Kind::kStream, stream);
  if (object == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  object->capturing = true;
  object->nodes = 0;
  object->captured = 0;
  return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  ENTER();
  Object* object = Find(Kind::kStream, stream);
  if (object == nullptr || !object->capturing) return D().Misuse(CUDA_ERROR_ILLEGAL_STATE);
  object->capturing = false;
  return NewObject(Kind::kGraph, graph, object->nodes, 0, object->captured);
}
CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status) {
  ENTER();
  Object* object = Find(Kind::kStream, stream);
  if (object == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *status = object->capturing ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent* event, unsigned) {
  ENTER();
  return NewObject(Kind::kEvent, event);
}
CUresult cuEventDestroy(CUevent event) {
  ENTER();
  return Destroy(Kind::kEvent, event);
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  ENTER();
  Object* object = Find(Kind::kEvent, event);
  const Object* on = Find(Kind::kStream, stream);
  if (object == nullptr || on == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  object->clock = on->clock;
  return CUDA_SUCCESS;
}
CUresult cuEventQuery(CUevent event) {
  ENTER();
  return Find(Kind::kEvent, event) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
CUresult cuEventSynchronize(CUevent event) {
  ENTER();
  return Find(Kind::kEvent, event) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
CUresult cuEventElapsedTime(float* milliseconds, CUevent begin, CUevent end) {
  ENTER();
  const Object *from = Find(Kind::kEvent, begin), *to = Find(Kind::kEvent, end);
  if (from == nullptr || to == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *milliseconds = static_cast<float>((to->clock - from->clock) / 1e3);
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiate(CUgraphExec* exec, CUgraph graph, unsigned long long) {
  ENTER();
  Object* object = Find(Kind::kGraph, graph);
  if (object == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  constexpr size_t kNodeBytes = 4096;
  return NewObject(Kind::kGraph, exec, object->nodes, object->nodes * kNodeBytes, object->clock);
}
CUresult cuGraphDestroy(CUgraph graph) {
  ENTER();
  return Destroy(Kind::kGraph, graph);
}
CUresult cuGraphExecDestroy(CUgraphExec exec) {
  ENTER();
  return Destroy(Kind::kGraph, exec);
}
CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  ENTER();
  const Object* graph = Find(Kind::kGraph, exec);
  if (graph == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return Queue(
      stream, [] {}, graph->clock);
}
CUresult cuGraphUpload(CUgraphExec exec, CUstream) {
  ENTER();
  return Find(Kind::kGraph, exec) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode*, size_t* count) {
  ENTER();
  Object* object = Find(Kind::kGraph, graph);
  if (object == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *count = object->nodes;
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
  ENTER();
  return NewObject(Kind::kModule, module, 0, std::strlen(static_cast<const char*>(image)));
}
CUresult cuModuleUnload(CUmodule module) {
  ENTER();
  return Destroy(Kind::kModule, module);
}
CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char*) {
  ENTER();
  *function = reinterpret_cast<CUfunction>(module);
  return Find(Kind::kModule, module) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}
CUresult cuModuleGetGlobal(CUdeviceptr*, size_t*, CUmodule, const char*) {
  ENTER();
  return CUDA_ERROR_NOT_FOUND;
}
CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int) {
  ENTER();
  return CUDA_SUCCESS;
}
CUresult cuFuncGetAttribute(int* value, CUfunction_attribute, CUfunction) {
  ENTER();
  *value = 0;
  return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction, int, size_t) {
  ENTER();
  *blocks = 1;
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernel(CUfunction function, unsigned, unsigned, unsigned, unsigned, unsigned,
                        unsigned, unsigned, CUstream stream, void**, void**) {
  ENTER();
  if (Find(Kind::kModule, function) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return Queue(stream, [] {});
}
// Fails when cuLaunchKernel is told to: callers need not know which one a kernel takes.
CUresult cuLaunchKernelEx(const CUlaunchConfig* c, CUfunction function, void** parameters,
                          void** extra) {
  return cuLaunchKernel(function, c->gridDimX, c->gridDimY, c->gridDimZ, c->blockDimX, c->blockDimY,
                        c->blockDimZ, c->sharedMemBytes, c->hStream, parameters, extra);
}

CUresult cuTensorMapEncodeTiled(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*,
                                const cuuint64_t*, const cuuint64_t*, const cuuint32_t*,
                                const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                                CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  return CUDA_SUCCESS;
}
CUresult cuTensorMapEncodeIm2col(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*,
                                 const cuuint64_t*, const cuuint64_t*, const int*, const int*,
                                 cuuint32_t, cuuint32_t, const cuuint32_t*, CUtensorMapInterleave,
                                 CUtensorMapSwizzle, CUtensorMapL2promotion,
                                 CUtensorMapFloatOOBfill) {
  return CUDA_SUCCESS;
}

CUresult cuPointerGetAttribute(void* value, CUpointer_attribute attribute, CUdeviceptr address) {
  ENTER(On::kNothing);
  const auto block = BlockOf(address, 1);
  if (block == D().blocks.end()) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = block->second.device;
  if (attribute == CU_POINTER_ATTRIBUTE_MEMORY_TYPE) {
    *static_cast<unsigned*>(value) = device == nullptr ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    return CUDA_SUCCESS;
  }
  if (attribute == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) {
    *static_cast<int*>(value) = device == nullptr ? 0 : device->ordinal;
    return CUDA_SUCCESS;
  }
  return CUDA_ERROR_NOT_SUPPORTED;
}
// Memory of another process: here, the address that the handle begins with.
CUresult cuIpcOpenMemHandle(CUdeviceptr* address, CUipcMemHandle handle, unsigned) {
  ENTER();
  std::memcpy(address, &handle, sizeof(*address));
  return OnDevice(*address, 1) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
CUresult cuIpcCloseMemHandle(CUdeviceptr) {
  ENTER();
  return CUDA_SUCCESS;
}

// Under its old name, too, which those use who do not see the driver's header.
#undef cuDeviceGetUuid
CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

}  // extern "C"
