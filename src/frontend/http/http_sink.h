#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "infer/servable.h"
#include "infer/shared_tensors.h"
#include "nereid/response.h"
#include "net/compression.h"
#include "net/http_exchange.h"
#include "wire/output_format.h"

namespace nereid {

// Answers one infer request with the one response that it may have. Short answers are encoded where
// they are sent from; what takes long (numbers to text, compression) is left to the connection's
// loop, so that an instance gets back to its work.
class HttpSink final : public ResponseSink {
 public:
  HttpSink(HttpExchange exchange, ServableHandle servable, ContentEncoding encoding);

  // How the outputs are to be sent, and the id to be sent back. Before the request is submitted.
  OutputFormat& format() { return reply_.format; }
  void set_request_id(const std::string& id) { reply_.request_id = id; }
  // The tensors that lie in shared memory, if any do.
  void set_shared(SharedTensors shared) {
    if (!shared.empty()) shared_ = std::make_unique<SharedTensors>(std::move(shared));
  }

  // While one exists on this thread, errors of `sink` are refusals of the request itself rather
  // than failures of its execution, and say so by their content type.
  class RefusalScope {
   public:
    explicit RefusalScope(const HttpSink* sink);
    ~RefusalScope();
    RefusalScope(const RefusalScope&) = delete;
    RefusalScope& operator=(const RefusalScope&) = delete;
  };

  absl::StatusOr<Buffer> Allocate(const TensorSpec& spec, size_t byte_size,
                                  MemoryPlace preferred) noexcept override;
  void Send(InferResponse response, bool is_final) noexcept override;
  void Finish() noexcept override;
  bool IsCancelled() const noexcept override { return reply_.exchange.cancelled(); }

  // Everything an answer is made of besides the response.
  struct Reply {
    HttpExchange exchange;
    ServableHandle servable;
    ContentEncoding encoding = ContentEncoding::kIdentity;
    OutputFormat format;
    std::string request_id;
  };

 private:
  void Answer(InferResponse response) noexcept;
  void AnswerError(const absl::Status& status) noexcept;

  Reply reply_;
  std::unique_ptr<const SharedTensors> shared_;
  // A response of a backend that has not said yet whether it is the only one.
  std::optional<InferResponse> held_;
  int64_t response_count_ = 0;
};

}  // namespace nereid
