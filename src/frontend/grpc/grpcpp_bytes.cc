#include "frontend/grpc/grpcpp_bytes.h"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"

namespace nereid {
namespace {

// Slices of a received message. Short ones hold their bytes themselves, so they must not move.
struct ReceivedMessage {
  grpc::Slice single;
  std::vector<grpc::Slice> several;
};

Payload::Segment SegmentOf(const grpc::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.begin()), slice.size()};
}

// Holds the owner of a payload until the last of its slices has been sent. Released on any thread.
class SharedOwner {
 public:
  SharedOwner(std::shared_ptr<const void> owner, size_t slices)
      : owner_(std::move(owner)), slices_(slices) {}
  static void Release(void* self) {
    auto* shared = static_cast<SharedOwner*>(self);
    if (shared->slices_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared;
  }

 private:
  const std::shared_ptr<const void> owner_;
  std::atomic<size_t> slices_;
};

using Slices = absl::InlinedVector<grpc::Slice, 4>;

void AppendPayload(const Payload& payload, Slices* slices) {
  const Payload::Segments& segments = payload.segments();
  if (segments.empty()) return;
  auto* shared = new SharedOwner(payload.owner(), segments.size());
  for (const Payload::Segment segment : segments) {
    slices->emplace_back(const_cast<std::byte*>(segment.data()), segment.size(),
                         &SharedOwner::Release, shared);
  }
}

}  // namespace

Payload ToPayload(grpc::ByteBuffer* buffer) {
  auto received = std::make_shared<ReceivedMessage>();
  Payload::Segments segments;
  if (buffer->TrySingleSlice(&received->single).ok()) {
    segments.push_back(SegmentOf(received->single));
  } else if (buffer->Dump(&received->several).ok()) {
    segments.reserve(received->several.size());
    for (const grpc::Slice& slice : received->several) segments.push_back(SegmentOf(slice));
  }
  buffer->Clear();
  return Payload(std::move(received), std::move(segments));
}

grpc::ByteBuffer ToByteBuffer(const OutgoingMessage& message) {
  Slices slices;
  size_t sent = 0;
  const auto append_text = [&](size_t end) {
    if (end > sent) slices.emplace_back(message.text.data() + sent, end - sent);
    sent = end;
  };
  for (const OutgoingMessage::Insert& insert : message.inserts) {
    append_text(insert.offset);
    AppendPayload(insert.data, &slices);
  }
  append_text(message.text.size());
  return grpc::ByteBuffer(slices.data(), slices.size());
}

}  // namespace nereid
