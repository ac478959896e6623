#include "memory/gpu_devices.h"

#include <dlfcn.h>

#include <cstddef>

#include "absl/strings/str_format.h"
#include "memory/gpu_library.h"

namespace nereid {
namespace {

// The few driver entry points needed, with the driver's own C signatures (0 is success).
struct Driver {
  int (*init)(unsigned) = nullptr;
  int (*count)(int*) = nullptr;
  int (*get)(int*, int) = nullptr;
  int (*name)(char*, int, int) = nullptr;
  int (*uuid)(unsigned char*, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  int (*total_memory)(size_t*, int) = nullptr;

  template <typename F>
  static bool Find(void* library, const char* symbol, F* out) {
    *out = reinterpret_cast<F>(dlsym(library, symbol));
    return *out != nullptr;
  }

  bool Open() {
    void* library = dlopen(GpuLibraryPath("libcuda.so.1").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    return Find(library, "cuInit", &init) && Find(library, "cuDeviceGetCount", &count) &&
           Find(library, "cuDeviceGet", &get) && Find(library, "cuDeviceGetName", &name) &&
           Find(library, "cuDeviceGetUuid", &uuid) &&
           Find(library, "cuDeviceGetAttribute", &attribute) &&
           Find(library, "cuDeviceTotalMem_v2", &total_memory);
  }
};

// CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{MAJOR,MINOR} of the driver API.
constexpr int kCapabilityMajor = 75;
constexpr int kCapabilityMinor = 76;

std::string UuidText(const unsigned char (&bytes)[16]) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += absl::StrFormat("%02x", bytes[i]);
  }
  return text;
}

std::vector<GpuDevice> Discover() {
  std::vector<GpuDevice> devices;
  Driver driver;
  int count = 0;
  if (!driver.Open() || driver.init(0) != 0 || driver.count(&count) != 0) return devices;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    int handle = 0;
    char name[256] = {};
    unsigned char uuid[16] = {};
    int major = 0;
    int minor = 0;
    size_t bytes = 0;
    if (driver.get(&handle, ordinal) != 0 || driver.name(name, sizeof(name) - 1, handle) != 0 ||
        driver.uuid(uuid, handle) != 0 || driver.attribute(&major, kCapabilityMajor, handle) != 0 ||
        driver.attribute(&minor, kCapabilityMinor, handle) != 0 ||
        driver.total_memory(&bytes, handle) != 0) {
      continue;
    }
    devices.push_back({ordinal, name, UuidText(uuid), major + minor / 10.0, bytes});
  }
  return devices;
}

}  // namespace

const std::vector<GpuDevice>& GpuDevices() {
  static const std::vector<GpuDevice> devices = Discover();
  return devices;
}

}  // namespace nereid
