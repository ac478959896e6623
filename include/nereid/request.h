#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/container/inlined_vector.h"
#include "nereid/buffer.h"
#include "nereid/data_type.h"
#include "nereid/model_config.h"
#include "nereid/parameter.h"
#include "nereid/response.h"
#include "nereid/shape.h"

namespace nereid {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

// When a request passed each station. A default TimePoint means "did not get there".
struct Timeline {
  TimePoint received;       // the request's first byte was decoded
  TimePoint queued;         // handed to the scheduler
  TimePoint exec_start;     // an instance took it
  TimePoint compute_start;  // inputs are ready on the device
  TimePoint compute_end;    // outputs are computed
  TimePoint exec_end;       // outputs are in the response's buffers
};

struct SequenceFlags {
  bool start = false;
  bool end = false;
};

class InferRequest;

// Told once about each request that ends, just before its final answer leaves. Must be quick and
// must not call back into the request. Any thread.
class CompletionObserver {
 public:
  virtual ~CompletionObserver() = default;
  virtual void OnResponse(const InferRequest& request, const InferResponse& response,
                          bool is_final) noexcept = 0;
  virtual void OnComplete(const InferRequest& request, const absl::Status& status) noexcept = 0;
  // One execution of `batch_size` rows has its outputs; `timeline` is that of one of its requests.
  virtual void OnExecuted(const Timeline& /*timeline*/, int64_t /*batch_size*/) noexcept {}
};

// One inference request on its way through the server. It has one owner at a time, who moves it
// forward, and it is answered exactly once: a request that is dropped unanswered answers INTERNAL
// from its destructor. Input bytes and names are views kept alive by `storage`.
class InferRequest {
 public:
  struct Input {
    std::string_view name;
    DataType data_type = DataType::kInvalid;
    Shape shape;  // after validation: what the backend sees (reshape applied), batch included
    Payload data;
    const TensorSpec* spec = nullptr;  // set by validation
  };
  struct RequestedOutput {
    std::string_view name;
    uint32_t classification_count = 0;  // 0: the tensor itself
    const TensorSpec* spec = nullptr;   // set by validation
  };

  explicit InferRequest(std::unique_ptr<ResponseSink> sink) : sink_(std::move(sink)) {}
  ~InferRequest();
  InferRequest(const InferRequest&) = delete;
  InferRequest& operator=(const InferRequest&) = delete;

  // Set by the protocol before Submit.
  std::shared_ptr<const void> storage;
  std::string id;  // the client's; may be empty
  absl::InlinedVector<Input, 2> inputs;
  absl::InlinedVector<RequestedOutput, 2> requested_outputs;  // empty: all
  Parameters parameters;
  uint64_t priority = 0;                               // 0: the model's default level
  std::chrono::microseconds timeout{0};                // the client's `timeout`; 0: none
  TimePoint deadline = TimePoint::max();               // when the transport gives up
  std::variant<uint64_t, std::string> correlation_id;  // 0 or "": not part of a sequence
  SequenceFlags sequence;
  // A binary body without description: its single input takes name, type and shape from the model.
  bool is_raw_input = false;
  Timeline timeline;

  // Set by validation.
  std::shared_ptr<const ModelConfig> config;
  int64_t batch_size = 1;  // extent of the batch dimension; 1 for models that do not batch
  CompletionObserver* observer = nullptr;  // set at admission; outlives the request
  // What keeps `observer` and the model version alive until the request ends.
  std::shared_ptr<const void> servable_handle;

  const Input* FindInput(std::string_view name) const;
  // True when the client asked for this output, by name or by naming none.
  bool WantsOutput(const TensorSpec& spec) const;
  bool IsCancelled() const noexcept { return sink_ != nullptr && sink_->IsCancelled(); }
  bool answered() const { return sink_ == nullptr; }
  // Puts `wrap(the sink)` in the sink's place: for whoever must see the answers on their way out.
  template <typename Wrap>
  void WrapSink(Wrap&& wrap) {
    sink_ = wrap(std::move(sink_));
  }
  int64_t response_count() const { return response_count_; }

  absl::StatusOr<Buffer> AllocateOutput(const TensorSpec& spec, size_t byte_size,
                                        MemoryPlace preferred = {}) noexcept;
  // Sends one response; after a final one the request is answered and the sink is gone.
  void Respond(InferResponse response, bool is_final = true) noexcept;
  // Ends with an error. The message gets no prefix.
  void Fail(absl::Status status) noexcept;
  // Ends without a further response (decoupled models).
  void Finish() noexcept;

 private:
  void Complete(const absl::Status& status) noexcept;
  std::unique_ptr<ResponseSink> sink_;
  int64_t response_count_ = 0;
};

}  // namespace nereid
