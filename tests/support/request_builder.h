#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nereid/batch.h"
#include "nereid/request.h"
#include "support/fake_sink.h"

namespace nereid::testing {

using Bytes = std::vector<std::byte>;

template <typename T>
Bytes BytesOf(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// The BYTES encoding of `elements`.
inline Bytes BytesOf(const std::vector<std::string>& elements) {
  Bytes bytes;
  for (const std::string& element : elements) {
    const auto length = static_cast<uint32_t>(element.size());
    const auto* head = reinterpret_cast<const std::byte*>(&length);
    bytes.insert(bytes.end(), head, head + sizeof(length));
    const auto* text = reinterpret_cast<const std::byte*>(element.data());
    bytes.insert(bytes.end(), text, text + element.size());
  }
  return bytes;
}

inline Bytes BytesOf(const Payload& payload) {
  Bytes bytes;
  for (const Payload::Segment& segment : payload.segments()) {
    bytes.insert(bytes.end(), segment.begin(), segment.end());
  }
  return bytes;
}

template <typename T>
std::vector<T> ValuesOf(const Payload& payload) {
  const Bytes bytes = BytesOf(payload);
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// A payload that owns a copy of `bytes`, cut into pieces of at most `piece` bytes.
inline Payload PayloadOf(const Bytes& bytes, size_t piece = SIZE_MAX) {
  auto owner = std::make_shared<Bytes>(bytes);
  Payload::Segments segments;
  // Pieces are kept apart in memory by copies of their own.
  if (bytes.size() <= piece) {
    segments.emplace_back(owner->data(), owner->size());
    return Payload(owner, std::move(segments));
  }
  auto pieces = std::make_shared<std::vector<Bytes>>();
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const size_t end = std::min(bytes.size(), at + piece);
    pieces->emplace_back(bytes.begin() + static_cast<ptrdiff_t>(at),
                         bytes.begin() + static_cast<ptrdiff_t>(end));
  }
  for (const Bytes& part : *pieces) segments.emplace_back(part.data(), part.size());
  return Payload(pieces, std::move(segments));
}

// Builds requests as they are after validation: linked to the configuration, batch size set.
class RequestBuilder {
 public:
  explicit RequestBuilder(std::shared_ptr<const ModelConfig> config)
      : record_(std::make_shared<SinkRecord>()),
        request_(std::make_unique<InferRequest>(std::make_unique<FakeSink>(record_))) {
    request_->config = std::move(config);
  }

  RequestBuilder& Input(const std::string& name, DataType type, Shape shape, Payload data) {
    names_.push_back(std::make_shared<std::string>(name));
    InferRequest::Input& input = request_->inputs.emplace_back();
    input.name = *names_.back();
    input.data_type = type;
    input.shape = std::move(shape);
    input.data = std::move(data);
    if (request_->config == nullptr) return *this;
    input.spec = request_->config->FindInput(name);
    if (request_->config->max_batch_size() > 0 && !input.shape.empty()) {
      request_->batch_size = input.shape[0];
    }
    return *this;
  }

  template <typename T>
  RequestBuilder& Input(const std::string& name, DataType type, Shape shape,
                        const std::vector<T>& values) {
    return Input(name, type, std::move(shape), PayloadOf(BytesOf(values)));
  }

  RequestBuilder& Output(const std::string& name) {
    names_.push_back(std::make_shared<std::string>(name));
    request_->requested_outputs.push_back({*names_.back(), 0, request_->config->FindOutput(name)});
    return *this;
  }

  std::shared_ptr<SinkRecord> record() const { return record_; }
  std::unique_ptr<InferRequest> Build() {
    request_->storage = std::make_shared<decltype(names_)>(names_);
    return std::move(request_);
  }

 private:
  std::shared_ptr<SinkRecord> record_;
  std::unique_ptr<InferRequest> request_;
  std::vector<std::shared_ptr<std::string>> names_;  // what the views in the request point to
};

// The output of that name in the only response, or nullptr.
inline const OutputTensor* FindOutput(const InferResponse& response, const std::string& name) {
  for (const OutputTensor& output : response.outputs) {
    if (output.spec->name == name) return &output;
  }
  return nullptr;
}

}  // namespace nereid::testing
