// The ONNX floor: ONNX Runtime's Run() in a bare loop over random input, without a server.
//   bench_ort_loop MODEL.onnx BATCH SECONDS THREADS CALLERS DIM...
// THREADS are the session's intra-op threads; CALLERS threads run the one session at the same time.
// DIM... is the input's shape without the batch dimension. Prints items/s.
#include <onnxruntime_cxx_api.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Input {
  std::vector<int64_t> shape;
  size_t count = 1;
};

struct Names {
  explicit Names(const Ort::Session& session)
      : input(session.GetInputNameAllocated(0, allocator)),
        output(session.GetOutputNameAllocated(0, allocator)) {}

  Ort::AllocatorWithDefaultOptions allocator;
  Ort::AllocatedStringPtr input;
  Ort::AllocatedStringPtr output;
};

std::vector<float> RandomData(size_t count, unsigned seed) {
  std::minstd_rand random(seed);
  std::vector<float> data(count);
  for (float& value : data) value = static_cast<float>(random() % 2000) / 1000.0f - 1.0f;
  return data;
}

// Runs of one caller per second: whole runs over the time that just they took, so that a run of
// half a second does not blur the rate.
double RunFor(double seconds, Ort::Session& session, const Names& names, const Input& input,
              unsigned seed) {
  std::vector<float> data = RandomData(input.count, seed);
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const char* inputs[] = {names.input.get()};
  const char* outputs[] = {names.output.get()};
  const auto run = [&] {
    Ort::Value value = Ort::Value::CreateTensor<float>(memory, data.data(), data.size(),
                                                       input.shape.data(), input.shape.size());
    session.Run(Ort::RunOptions{nullptr}, inputs, &value, 1, outputs, 1);
  };
  run();  // warms the arena
  long runs = 0;
  const Clock::time_point begin = Clock::now();
  double elapsed = 0;
  while (elapsed < seconds) {
    run();
    ++runs;
    elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  }
  return static_cast<double>(runs) / elapsed;
}

int Main(int argc, char** argv) {
  const int64_t batch = std::atoll(argv[2]);
  const double seconds = std::atof(argv[3]);
  Input input;
  input.shape = {batch};
  for (int i = 6; i < argc; ++i) input.shape.push_back(std::atoll(argv[i]));
  for (const int64_t dim : input.shape) input.count *= static_cast<size_t>(dim);

  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "floor");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(std::atoi(argv[4]));
  Ort::Session session(env, argv[1], options);
  const Names names(session);

  std::vector<double> rates(static_cast<size_t>(std::atoi(argv[5])));
  std::vector<std::thread> callers;
  for (size_t i = 0; i < rates.size(); ++i) {
    callers.emplace_back([&, i] {
      rates[i] = RunFor(seconds, session, names, input, static_cast<unsigned>(i + 1));
    });
  }
  double total = 0;
  for (size_t i = 0; i < rates.size(); ++i) {
    callers[i].join();
    total += rates[i];
  }
  std::printf("%.2f\n", total * static_cast<double>(batch));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: %s MODEL.onnx BATCH SECONDS THREADS CALLERS DIM...\n", argv[0]);
    return 1;
  }
  try {
    return Main(argc, argv);
  } catch (const Ort::Exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
