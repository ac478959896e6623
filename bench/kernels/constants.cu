// The constants the CUDA engine's design leans on, measured in one run on one GPU: bandwidth,
// matrix rates, launch and graph gaps, flag latency, and what cuDNN and NVRTC cost to build.
//
//   nvcc -O2 -std=c++17 -arch=sm_90a bench/kernels/constants.cu -o constants -lcublasLt -lcudnn
//   -lnvrtc
//   ./constants
//
// Every figure is a median over repetitions timed with events (device work) or a steady clock (host
// work); inputs are random, not zeros.
#include <cublasLt.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <cudnn.h>
#include <nvrtc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#define CHECK(call)                                                                             \
  do {                                                                                          \
    const auto status_ = (call);                                                                \
    if (static_cast<int>(status_) != 0) {                                                       \
      std::printf("%s:%d: %s gave %d\n", __FILE__, __LINE__, #call, static_cast<int>(status_)); \
      std::exit(1);                                                                             \
    }                                                                                           \
  } while (false)

namespace {

cudaStream_t stream;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Median milliseconds of one call of `work` on the stream.
double TimeMs(const std::function<void()>& work, int repetitions = 15, int calls = 1) {
  cudaEvent_t begin, end;
  CHECK(cudaEventCreate(&begin));
  CHECK(cudaEventCreate(&end));
  for (int i = 0; i < 3; ++i) work();
  CHECK(cudaStreamSynchronize(stream));
  std::vector<double> times;
  for (int i = 0; i < repetitions; ++i) {
    CHECK(cudaEventRecord(begin, stream));
    for (int c = 0; c < calls; ++c) work();
    CHECK(cudaEventRecord(end, stream));
    CHECK(cudaEventSynchronize(end));
    float ms = 0;
    CHECK(cudaEventElapsedTime(&ms, begin, end));
    times.push_back(ms / calls);
  }
  CHECK(cudaEventDestroy(begin));
  CHECK(cudaEventDestroy(end));
  return Median(times);
}

double HostMs(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

__global__ void FillRandom(uint32_t* data, size_t count, uint32_t mask, uint32_t bias) {
  const size_t stride = size_t{gridDim.x} * blockDim.x;
  for (size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride) {
    uint32_t x = static_cast<uint32_t>(i) * 2654435761u + 12345u;
    x ^= x >> 16;
    x *= 2246822519u;
    x ^= x >> 13;
    data[i] = (x & mask) | bias;
  }
}

__global__ void ReadAll(const uint4* data, size_t count, uint32_t* out) {
  const size_t stride = size_t{gridDim.x} * blockDim.x;
  uint32_t sum = 0;
  size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  for (; i + 3 * stride < count; i += 4 * stride) {
    const uint4 a = __ldcs(data + i), b = __ldcs(data + i + stride),
                c = __ldcs(data + i + 2 * stride), d = __ldcs(data + i + 3 * stride);
    sum += a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w ^ c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^
           d.w;
  }
  for (; i < count; i += stride) sum += data[i].x;
  if (sum == 0x12345678u) *out = sum;  // keeps the loads
}

__global__ void Empty() {}

__global__ void EmptyDependent() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

__global__ void RaiseFlag(volatile int* flag, int value) { *flag = value; }

__global__ void Swish(__half* data, size_t count) {
  const size_t i = size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const float x = __half2float(data[i]);
  data[i] = __float2half(x / (1.0f + __expf(-x)));
}

void Bandwidth() {
  const size_t bytes = size_t{2} << 30;
  char *a, *b;
  CHECK(cudaMalloc(&a, bytes));
  CHECK(cudaMalloc(&b, bytes));
  FillRandom<<<1024, 256, 0, stream>>>(reinterpret_cast<uint32_t*>(a), bytes / 4, ~0u, 0);
  const double copy =
      TimeMs([&] { CHECK(cudaMemcpyAsync(b, a, bytes, cudaMemcpyDeviceToDevice, stream)); });
  std::printf("| device copy, 2 GiB (read + write) | %.1f GB/s |\n", 2.0 * bytes / copy / 1e6);
  for (const int blocks : {132 * 4, 132 * 8, 132 * 16}) {
    const double read = TimeMs([&] {
      ReadAll<<<blocks, 512, 0, stream>>>(reinterpret_cast<uint4*>(a), bytes / 16,
                                          reinterpret_cast<uint32_t*>(b));
    });
    std::printf("| read only, 2 GiB, %d blocks of 512 | %.1f GB/s |\n", blocks, bytes / read / 1e6);
  }
  char* host;
  CHECK(cudaMallocHost(&host, 64 << 20));
  const double up =
      TimeMs([&] { CHECK(cudaMemcpyAsync(a, host, 64 << 20, cudaMemcpyHostToDevice, stream)); });
  const double down =
      TimeMs([&] { CHECK(cudaMemcpyAsync(host, a, 64 << 20, cudaMemcpyDeviceToHost, stream)); });
  std::printf("| host to device, pinned, 64 MiB | %.1f GB/s |\n", (64 << 20) / up / 1e6);
  std::printf("| device to host, pinned, 64 MiB | %.1f GB/s |\n", (64 << 20) / down / 1e6);
  CHECK(cudaFreeHost(host));
  CHECK(cudaFree(a));
  CHECK(cudaFree(b));
}

struct MatmulCase {
  const char* name;
  cudaDataType_t in, out;
  cublasComputeType_t compute;
  cudaDataType_t scale;
  size_t in_bytes, out_bytes;
  uint32_t mask, bias;  // bits of a random 32-bit word that make sane inputs
};

void Matmul(const MatmulCase& c, int64_t n) {
  cublasLtHandle_t handle;
  CHECK(cublasLtCreate(&handle));
  void *a, *b, *d, *workspace;
  const size_t workspace_bytes = 64 << 20;
  CHECK(cudaMalloc(&a, n * n * c.in_bytes));
  CHECK(cudaMalloc(&b, n * n * c.in_bytes));
  CHECK(cudaMalloc(&d, n * n * c.out_bytes));
  CHECK(cudaMalloc(&workspace, workspace_bytes));
  for (void* p : {a, b}) {
    FillRandom<<<1024, 256, 0, stream>>>(static_cast<uint32_t*>(p), n * n * c.in_bytes / 4, c.mask,
                                         c.bias);
  }
  cublasLtMatmulDesc_t operation;
  CHECK(cublasLtMatmulDescCreate(&operation, c.compute, c.scale));
  const cublasOperation_t transposed = CUBLAS_OP_T;
  CHECK(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                       sizeof(transposed)));
  cublasLtMatrixLayout_t la, lb, ld;
  CHECK(cublasLtMatrixLayoutCreate(&la, c.in, n, n, n));
  CHECK(cublasLtMatrixLayoutCreate(&lb, c.in, n, n, n));
  CHECK(cublasLtMatrixLayoutCreate(&ld, c.out, n, n, n));
  cublasLtMatmulPreference_t preference;
  CHECK(cublasLtMatmulPreferenceCreate(&preference));
  CHECK(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace_bytes, sizeof(workspace_bytes)));
  cublasLtMatmulHeuristicResult_t results[8];
  int found = 0;
  const auto status = cublasLtMatmulAlgoGetHeuristic(handle, operation, la, lb, ld, ld, preference,
                                                     8, results, &found);
  if (status != CUBLAS_STATUS_SUCCESS || found == 0) {
    std::printf("| matmul %s %lld³ | not supported (%d) |\n", c.name, static_cast<long long>(n),
                status);
  } else {
    const float one = 1, zero = 0;
    const int ione = 1, izero = 0;
    const bool is_int = c.scale == CUDA_R_32I;
    double best = 1e30;
    for (int i = 0; i < found; ++i) {
      const double ms = TimeMs(
          [&] {
            CHECK(cublasLtMatmul(handle, operation, is_int ? (const void*)&ione : &one, a, la, b,
                                 lb, is_int ? (const void*)&izero : &zero, d, ld, d, ld,
                                 &results[i].algo, workspace, workspace_bytes, stream));
          },
          9);
      best = std::min(best, ms);
    }
    std::printf("| matmul %s %lld³, best of %d | %.0f T(FL)OP/s |\n", c.name,
                static_cast<long long>(n), found, 2.0 * n * n * n / best / 1e9);
  }
  CHECK(cublasLtMatmulPreferenceDestroy(preference));
  for (auto l : {la, lb, ld}) CHECK(cublasLtMatrixLayoutDestroy(l));
  CHECK(cublasLtMatmulDescDestroy(operation));
  for (void* p : {a, b, d, workspace}) CHECK(cudaFree(p));
  CHECK(cublasLtDestroy(handle));
}

void LaunchGaps() {
  constexpr int kNodes = 1000;
  const double launched = TimeMs([&] { Empty<<<1, 32, 0, stream>>>(); }, 15, kNodes);
  std::printf("| empty kernel, launched one by one | %.2f µs |\n", launched * 1e3);
  for (const bool dependent : {false, true}) {
    for (const int blocks : {1, 132}) {
      cudaGraph_t graph;
      cudaGraphExec_t exec;
      CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
      for (int i = 0; i < kNodes; ++i) {
        cudaLaunchConfig_t config{};
        config.gridDim = blocks;
        config.blockDim = 128;
        config.stream = stream;
        cudaLaunchAttribute attribute{};
        attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
        attribute.val.programmaticStreamSerializationAllowed = 1;
        config.attrs = &attribute;
        config.numAttrs = dependent ? 1 : 0;
        CHECK(cudaLaunchKernelEx(&config, dependent ? EmptyDependent : Empty));
      }
      CHECK(cudaStreamEndCapture(stream, &graph));
      CHECK(cudaGraphInstantiate(&exec, graph, 0));
      const double ms = TimeMs([&] { CHECK(cudaGraphLaunch(exec, stream)); });
      std::printf("| graph node, empty kernel of %d blocks%s | %.2f µs |\n", blocks,
                  dependent ? ", programmatic dependent launch" : "", ms * 1e3 / kNodes);
      CHECK(cudaGraphExecDestroy(exec));
      CHECK(cudaGraphDestroy(graph));
    }
  }
  std::vector<double> host;
  for (int i = 0; i < 200; ++i) {
    host.push_back(HostMs([&] {
      Empty<<<1, 32, 0, stream>>>();
      CHECK(cudaStreamSynchronize(stream));
    }));
  }
  std::printf("| launch and synchronise, seen by the host | %.1f µs |\n", Median(host) * 1e3);
}

void FlagLatency() {
  int *device, *pinned, *mapped;
  CHECK(cudaMalloc(&device, 4));
  CHECK(cudaMallocHost(&pinned, 4));
  CHECK(cudaHostAlloc(&mapped, 4, cudaHostAllocMapped));
  std::vector<double> copied, raised;
  for (int i = 1; i <= 200; ++i) {
    copied.push_back(HostMs([&] {
      RaiseFlag<<<1, 1, 0, stream>>>(device, i);
      CHECK(cudaMemcpyAsync(pinned, device, 1, cudaMemcpyDeviceToHost, stream));
      CHECK(cudaStreamSynchronize(stream));
    }));
    raised.push_back(HostMs([&] {
      RaiseFlag<<<1, 1, 0, stream>>>(mapped, i);
      while (*static_cast<volatile int*>(mapped) != i) {
      }
    }));
    CHECK(cudaStreamSynchronize(stream));
  }
  std::printf("| flag to host: kernel, 1-byte copy, synchronise | %.1f µs |\n",
              Median(copied) * 1e3);
  std::printf("| flag to host: kernel writes mapped memory, host polls | %.1f µs |\n",
              Median(raised) * 1e3);
}

void Nvrtc(const char* name, const std::string& source) {
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    const std::string unique = source + "\n// " + std::to_string(i);
    times.push_back(HostMs([&] {
      nvrtcProgram program;
      CHECK(nvrtcCreateProgram(&program, unique.c_str(), "k.cu", 0, nullptr, nullptr));
      const char* options[] = {"-arch=sm_90a", "-std=c++17", "-I/usr/local/cuda/include"};
      if (nvrtcCompileProgram(program, 3, options) != NVRTC_SUCCESS) {
        size_t size = 0;
        CHECK(nvrtcGetProgramLogSize(program, &size));
        std::string log(size, ' ');
        CHECK(nvrtcGetProgramLog(program, log.data()));
        std::printf("%s\n", log.c_str());
      }
      CHECK(nvrtcDestroyProgram(&program));
    }));
  }
  std::printf("| NVRTC, %s | %.0f ms (first %.0f) |\n", name, Median(times), times[0]);
}

// ---- cuDNN through its backend interface -------------------------------------------------------

using Descriptor = cudnnBackendDescriptor_t;

Descriptor Make(cudnnBackendDescriptorType_t type) {
  Descriptor descriptor;
  CHECK(cudnnBackendCreateDescriptor(type, &descriptor));
  return descriptor;
}

template <typename T>
void Set(Descriptor d, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
         const std::vector<T>& values) {
  CHECK(
      cudnnBackendSetAttribute(d, name, type, static_cast<int64_t>(values.size()), values.data()));
}

Descriptor Tensor(int64_t id, const std::vector<int64_t>& dims, cudnnDataType_t type,
                  bool is_virtual) {
  Descriptor t = Make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  const std::vector<int64_t> strides = {dims[1] * dims[2] * dims[3], 1, dims[1] * dims[3], dims[1]};
  Set<int64_t>(t, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, {id});
  Set<cudnnDataType_t>(t, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, {type});
  Set<int64_t>(t, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, dims);
  Set<int64_t>(t, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides);
  Set<int64_t>(t, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, {16});
  CHECK(cudnnBackendSetAttribute(t, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1,
                                 &is_virtual));
  CHECK(cudnnBackendFinalize(t));
  return t;
}

Descriptor Pointwise(cudnnPointwiseMode_t mode, Descriptor x, Descriptor b, Descriptor y) {
  Descriptor pw = Make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  Set<cudnnPointwiseMode_t>(pw, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, {mode});
  Set<cudnnDataType_t>(pw, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE,
                       {CUDNN_DATA_FLOAT});
  CHECK(cudnnBackendFinalize(pw));
  Descriptor op = Make(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  Set<Descriptor>(op, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                  {pw});
  Set<Descriptor>(op, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, {x});
  if (b != nullptr) {
    Set<Descriptor>(op, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, {b});
  }
  Set<Descriptor>(op, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, {y});
  CHECK(cudnnBackendFinalize(op));
  return op;
}

struct Convolution {
  int64_t n, c, hw, k, filter;
};

struct PlanTimes {
  std::vector<double> ms;  // of the plans that ran, in the heuristic's order
  double first_build_ms = 0;
  double build_ms = 0;  // all of them
  size_t configurations = 0;
};

// conv + bias (+ activation), fp16, NHWC: builds up to `limit` plans and times each.
PlanTimes TimeConvolution(cudnnHandle_t handle, const Convolution& conv, int activation,
                          size_t limit) {
  const int64_t pad = conv.filter / 2;
  const std::vector<int64_t> xd = {conv.n, conv.c, conv.hw, conv.hw};
  const std::vector<int64_t> wd = {conv.k, conv.c, conv.filter, conv.filter};
  const std::vector<int64_t> yd = {conv.n, conv.k, conv.hw, conv.hw};
  const std::vector<int64_t> bd = {1, conv.k, 1, 1};
  Descriptor x = Tensor('x', xd, CUDNN_DATA_HALF, false),
             w = Tensor('w', wd, CUDNN_DATA_HALF, false);
  Descriptor bias = Tensor('b', bd, CUDNN_DATA_HALF, false);
  Descriptor y0 = Tensor('0', yd, CUDNN_DATA_FLOAT, true);
  Descriptor y1 = activation < 0 ? nullptr : Tensor('1', yd, CUDNN_DATA_FLOAT, true);
  Descriptor y = Tensor('y', yd, CUDNN_DATA_HALF, false);

  Descriptor cd = Make(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  Set<int64_t>(cd, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, {2});
  Set<cudnnDataType_t>(cd, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE,
                       {CUDNN_DATA_FLOAT});
  Set<cudnnConvolutionMode_t>(cd, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
                              {CUDNN_CROSS_CORRELATION});
  for (const auto name :
       {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS}) {
    Set<int64_t>(cd, name, CUDNN_TYPE_INT64, {pad, pad});
  }
  for (const auto name :
       {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES}) {
    Set<int64_t>(cd, name, CUDNN_TYPE_INT64, {1, 1});
  }
  CHECK(cudnnBackendFinalize(cd));
  Descriptor fprop = Make(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  Set<Descriptor>(fprop, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                  {x});
  Set<Descriptor>(fprop, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                  {w});
  Set<Descriptor>(fprop, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                  {y0});
  Set<Descriptor>(fprop, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                  CUDNN_TYPE_BACKEND_DESCRIPTOR, {cd});
  Set<float>(fprop, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, {1});
  Set<float>(fprop, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, {0});
  CHECK(cudnnBackendFinalize(fprop));
  std::vector<Descriptor> operations = {fprop};
  operations.push_back(Pointwise(CUDNN_POINTWISE_ADD, y0, bias, y1 == nullptr ? y : y1));
  if (y1 != nullptr) {
    operations.push_back(Pointwise(static_cast<cudnnPointwiseMode_t>(activation), y1, nullptr, y));
  }
  Descriptor graph = Make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  Set<Descriptor>(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations);
  Set<cudnnHandle_t>(graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, {handle});
  CHECK(cudnnBackendFinalize(graph));

  PlanTimes times;
  std::vector<Descriptor> configurations;
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    Descriptor heuristic = Make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    Set<Descriptor>(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                    {graph});
    Set<cudnnBackendHeurMode_t>(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE,
                                {mode});
    if (cudnnBackendFinalize(heuristic) != CUDNN_STATUS_SUCCESS) continue;
    std::vector<Descriptor> found(64);
    for (Descriptor& f : found) f = Make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    int64_t count = 0;
    CHECK(cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, 64, &count, found.data()));
    configurations.insert(configurations.end(), found.begin(),
                          found.begin() + std::min<int64_t>(count, 64));
  }
  times.configurations = configurations.size();

  const auto elements = [](const std::vector<int64_t>& d) { return d[0] * d[1] * d[2] * d[3]; };
  void *px, *pw, *pb, *py, *workspace;
  const size_t workspace_bytes = size_t{256} << 20;
  CHECK(cudaMalloc(&px, elements(xd) * 2));
  CHECK(cudaMalloc(&pw, elements(wd) * 2));
  CHECK(cudaMalloc(&pb, conv.k * 2));
  CHECK(cudaMalloc(&py, elements(yd) * 2));
  CHECK(cudaMalloc(&workspace, workspace_bytes));
  // Halves of either sign between 2^-4 and 2^-2.
  for (auto [p, count] :
       {std::pair<void*, int64_t>{px, elements(xd)}, {pw, elements(wd)}, {pb, conv.k}}) {
    FillRandom<<<256, 256, 0, stream>>>(static_cast<uint32_t*>(p), count / 2, 0x87FF87FFu,
                                        0x2C002C00u);
  }
  for (size_t i = 0; i < configurations.size() && times.ms.size() < limit; ++i) {
    Descriptor plan = Make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    Set<cudnnHandle_t>(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, {handle});
    Set<Descriptor>(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                    {configurations[i]});
    cudnnStatus_t built = CUDNN_STATUS_SUCCESS;
    const double build = HostMs([&] { built = cudnnBackendFinalize(plan); });
    if (i == 0) times.first_build_ms = build;
    times.build_ms += build;
    int64_t needed = 0, count = 0;
    if (built != CUDNN_STATUS_SUCCESS ||
        cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                 1, &count, &needed) != CUDNN_STATUS_SUCCESS ||
        needed > static_cast<int64_t>(workspace_bytes)) {
      cudnnBackendDestroyDescriptor(plan);
      continue;
    }
    Descriptor pack = Make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    Set<void*>(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, {px, pw, pb, py});
    Set<int64_t>(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, {'x', 'w', 'b', 'y'});
    Set<void*>(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, {workspace});
    CHECK(cudnnBackendFinalize(pack));
    if (cudnnBackendExecute(handle, plan, pack) == CUDNN_STATUS_SUCCESS) {
      times.ms.push_back(TimeMs([&] { CHECK(cudnnBackendExecute(handle, plan, pack)); }, 9, 20));
    }
    cudnnBackendDestroyDescriptor(pack);
    cudnnBackendDestroyDescriptor(plan);
  }
  for (void* p : {px, pw, pb, py, workspace}) CHECK(cudaFree(p));
  return times;
}

void PrintPlans(const char* name, const PlanTimes& t) {
  if (t.ms.empty()) {
    std::printf("| %s | no plan ran (%zu configurations) |\n", name, t.configurations);
    return;
  }
  std::printf(
      "| %s | first %.1f µs, best %.1f, worst %.1f of %zu; first plan built in %.1f ms, these in "
      "%.0f ms; %zu configurations |\n",
      name, t.ms[0] * 1e3, *std::min_element(t.ms.begin(), t.ms.end()) * 1e3,
      *std::max_element(t.ms.begin(), t.ms.end()) * 1e3, t.ms.size(), t.first_build_ms, t.build_ms,
      t.configurations);
}

void Cudnn() {
  cudnnHandle_t handle;
  const double create = HostMs([&] { CHECK(cudnnCreate(&handle)); });
  CHECK(cudnnSetStream(handle, stream));
  std::printf("| cudnnCreate, version %zu | %.0f ms |\n", cudnnGetVersion(), create);
  const struct {
    const char* name;
    Convolution conv;
  } rows[] = {
      {"conv 3×3 64→64 56², N=1", {1, 64, 56, 64, 3}},
      {"conv 3×3 512→512 7², N=1", {1, 512, 7, 512, 3}},
      {"conv 3×3 64→128 56², N=8", {8, 64, 56, 128, 3}},
      {"conv 3×3 128→128 28², N=128", {128, 128, 28, 128, 3}},
      {"conv 1×1 256→64 56², N=128", {128, 256, 56, 64, 1}},
      {"conv 1×1 1024→256 14², N=1", {1, 1024, 14, 256, 1}},
  };
  for (const auto& row : rows) {
    PrintPlans((std::string(row.name) + " + bias + ReLU, top 8").c_str(),
               TimeConvolution(handle, row.conv, CUDNN_POINTWISE_RELU_FWD, 8));
  }
  const Convolution conv = {8, 64, 56, 128, 3};
  const PlanTimes separate = TimeConvolution(handle, conv, -1, 8);
  PrintPlans("conv 3×3 64→128 56², N=8 + bias, top 8", separate);
  PrintPlans("the same + bias + Swish, compiled at run time",
             TimeConvolution(handle, conv, CUDNN_POINTWISE_SWISH_FWD, 4));
  const size_t count = size_t(8) * 128 * 56 * 56;
  __half* data;
  CHECK(cudaMalloc(&data, count * 2));
  FillRandom<<<256, 256, 0, stream>>>(reinterpret_cast<uint32_t*>(data), count / 2, 0x87FF87FFu,
                                      0x2C002C00u);
  const double swish =
      TimeMs([&] { Swish<<<(count + 255) / 256, 256, 0, stream>>>(data, count); }, 9, 20);
  std::printf("| Swish as a kernel of its own on that output | %.1f µs |\n", swish * 1e3);
  CHECK(cudaFree(data));

  Descriptor property = Make(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  Set<int32_t>(property, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, {0});
  if (cudnnBackendFinalize(property) == CUDNN_STATUS_SUCCESS) {
    std::vector<char> json(1 << 16);
    int64_t size = 0;
    if (cudnnBackendGetAttribute(property, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                 CUDNN_TYPE_CHAR, static_cast<int64_t>(json.size()), &size,
                                 json.data()) == CUDNN_STATUS_SUCCESS) {
      std::printf("\nDevice properties for plans without a GPU:\n\n```json\n%.*s\n```\n",
                  static_cast<int>(size), json.data());
    }
  }
  CHECK(cudnnDestroy(handle));
}

}  // namespace

int main() {
  cudaDeviceProp properties{};
  CHECK(cudaGetDeviceProperties(&properties, 0));
  CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  std::printf("%s, %d multiprocessors, CUDA %d\n\n| constant | value |\n|---|---|\n",
              properties.name, properties.multiProcessorCount, CUDART_VERSION);
  Bandwidth();
  const MatmulCase cases[] = {
      {"fp16", CUDA_R_16F, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUDA_R_32F, 2, 2, 0x87FF87FFu,
       0x2C002C00u},
      {"bf16", CUDA_R_16BF, CUDA_R_16BF, CUBLAS_COMPUTE_32F, CUDA_R_32F, 2, 2, 0x807F807Fu,
       0x3D003D00u},
      {"tf32", CUDA_R_32F, CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F, 4, 4, 0x807FFFFFu,
       0x3D000000u},
      {"int8 → int32", CUDA_R_8I, CUDA_R_32I, CUBLAS_COMPUTE_32I, CUDA_R_32I, 1, 4, ~0u, 0},
      {"int8 → int8", CUDA_R_8I, CUDA_R_8I, CUBLAS_COMPUTE_32I, CUDA_R_32F, 1, 1, ~0u, 0},
      {"fp8 e4m3 → fp16", CUDA_R_8F_E4M3, CUDA_R_16F, CUBLAS_COMPUTE_32F, CUDA_R_32F, 1, 2,
       0x87878787u, 0x28282828u},
  };
  for (const MatmulCase& c : cases) Matmul(c, 8192);
  LaunchGaps();
  FlagLatency();
  Nvrtc("pointwise kernel with cuda_fp16.h",
        "#include <cuda_fp16.h>\nextern \"C\" __global__ void k(const __half* a, __half* b, int n) "
        "{\n"
        "int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) { float x = __half2float(a[i]); "
        "b[i] = __float2half(x / (1.f + __expf(-x))); } }");
  Nvrtc("pointwise kernel without headers",
        "extern \"C\" __global__ void k(const float* a, float* b, int n) {\n"
        "int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) b[i] = a[i] * 2.f; }");
  Cudnn();
  return 0;
}
