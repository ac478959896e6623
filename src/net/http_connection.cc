#include "net/http_connection.h"

#include <event2/event.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/connection_set.h"
#include "net/http_handler.h"
#include "net/response_writer.h"

namespace nereid {
namespace {

// A head of ordinary size and a small body in one block.
constexpr size_t kReadBlock = 16 * 1024;
// A chunked body passes through the read buffer.
constexpr size_t kChunkedReadBlock = 128 * 1024;
// With more output than this waiting, the next pipelined request waits, too.
constexpr size_t kMaxOutputAhead = 256 * 1024;
// What a client may send behind its last request before it is no longer listened to.
constexpr size_t kMaxIgnored = 64 * 1024;
// Full reads of one connection before the others of the loop get their turn.
constexpr int kReadsPerTurn = 16;

}  // namespace

HttpConnection::HttpConnection(ConnectionSet* set, int fd)
    : set_(set),
      handler_(set->handler()),
      options_(set->options()),
      fd_(fd),
      event_(event_new(set->loop()->base(), fd, EV_READ, &HttpConnection::OnEvent, this)),
      last_input_(ConnectionSet::Now()),
      last_output_(last_input_) {}

void HttpConnection::Start() {
  Entry entry(this);
  UpdateInterest();
}

void HttpConnection::OnEvent(int, short what, void* self) {
  auto* connection = static_cast<HttpConnection*>(self);
  connection->set_->loop()->MarkAwake();
  Entry entry(connection);
  if ((what & EV_READ) != 0) {
    if ((connection->interest_ & EV_ET) != 0) {
      connection->OnWatchEvent();
    } else {
      connection->OnReadable();
    }
  }
  if ((what & EV_WRITE) != 0 && !connection->closed_) connection->Advance();
}

// --- Receiving ---------------------------------------------------------------------------------

void HttpConnection::OnReadable() {
  for (int i = 0; i < kReadsPerTurn && !closed_; ++i) {
    const Span target = ReceiveTarget();
    if (target.size == 0) return Close();  // no memory
    const ssize_t n = recv(fd_, target.data, target.size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) return Close();
    if (n == 0) return OnEndOfInput();
    const bool in_body = input_ == Input::kBody;
    OnReceived(static_cast<size_t>(n));
    Advance();
    if (static_cast<size_t>(n) < target.size || (interest_ & EV_ET) != 0) return;
    if (in_body && input_ != Input::kBody) return;  // exactly the body: nothing more is expected
  }
}

HttpConnection::Span HttpConnection::ReceiveTarget() {
  switch (input_) {
    case Input::kHead:
      break;
    case Input::kBody:
      if (body_in_buffer_) break;
      return {body_.tail(), static_cast<size_t>(body_length_) - body_.size()};
    case Input::kChunks:
      if (!buffer_.Prepare(kChunkedReadBlock)) return {nullptr, 0};
      return {buffer_.tail(), buffer_.room()};
    case Input::kDiscard:
      return {set_->scratch(),
              static_cast<size_t>(std::min<uint64_t>(set_->scratch_size(), discard_left_))};
    case Input::kStopped:
    case Input::kLinger:
      return {set_->scratch(), set_->scratch_size()};
  }
  const size_t body = input_ == Input::kBody ? static_cast<size_t>(body_length_) : 0;
  if (!buffer_.Prepare(std::max(kReadBlock, body + kBodyPadding))) return {nullptr, 0};
  return {buffer_.tail(), buffer_.room()};
}

void HttpConnection::OnReceived(size_t bytes) {
  last_input_ = ConnectionSet::Now();
  switch (input_) {
    case Input::kBody:
      if (!body_in_buffer_) return body_.Advance(bytes);
      return buffer_.Received(bytes);
    case Input::kHead:
    case Input::kChunks:
      return buffer_.Received(bytes);
    case Input::kDiscard:
      discard_left_ -= bytes;
      return;
    case Input::kStopped:
      ignored_ += bytes;
      linger_ = true;
      return;
    case Input::kLinger:
      return;
  }
}

void HttpConnection::OnEndOfInput() {
  end_of_input_ = true;
  const bool in_head = input_ == Input::kHead && !buffer_.empty();
  if (input_ == Input::kLinger) return Close();
  if (in_head || input_ == Input::kBody || input_ == Input::kChunks) {
    Fail({400, "the connection ended before the request was complete"});
  } else if (input_ == Input::kDiscard && tail_ != nullptr) {
    tail_->close_after = true;
  }
  input_ = Input::kStopped;
  ProbeClient();
  Advance();
}

void HttpConnection::ProbeClient() {
  if (front_ == nullptr || !front_->body_complete || front_->stream_started) return;
  if (front_->HasMail() || front_->request().version_minor == 0 || !output_.empty()) return;
  WriteContinue(output_);
}

void HttpConnection::OnWatchEvent() {
  pollfd state{fd_, 0, 0};
  if (poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP)) != 0) Close();
}

// --- Parsing -----------------------------------------------------------------------------------

bool HttpConnection::MayStartRequest() const {
  return pipelined_ < options_.max_pipelined && output_.size() <= kMaxOutputAhead;
}

void HttpConnection::ParseAvailable() {
  parse_blocked_ = false;
  for (bool more = true; more && !closed_;) {
    switch (input_) {
      case Input::kHead:
        more = ParseHeadAvailable();
        break;
      case Input::kBody:
        more = ParseBodyAvailable();
        break;
      case Input::kChunks:
        more = ParseChunksAvailable();
        break;
      case Input::kDiscard:
        more = DiscardAvailable();
        break;
      case Input::kStopped:
      case Input::kLinger:
        more = false;
        break;
    }
  }
}

bool HttpConnection::ParseHeadAvailable() {
  if (buffer_.empty()) return false;
  if (!MayStartRequest()) {
    parse_blocked_ = true;
    return false;
  }
  if (head_start_ == Time{}) head_start_ = ConnectionSet::Now();
  const HeadScanner::Result result = scanner_.Scan(buffer_.unparsed());
  const size_t size =
      result == HeadScanner::Result::kComplete ? scanner_.end() : buffer_.unparsed().size();
  if (result == HeadScanner::Result::kMalformed) {
    Fail({400, "malformed request head"});
  } else if (size > options_.max_head_bytes) {
    Fail({431, "the request head is too large"});
  } else if (result == HeadScanner::Result::kComplete) {
    StartRequest();
    return true;
  }
  return false;
}

void HttpConnection::StartRequest() {
  auto* state = new ExchangeState(set_->loop(), this);
  HttpRequest& request = state->mutable_request();
  request.head_owner = buffer_.owner();
  const std::string_view head =
      buffer_.unparsed().substr(scanner_.begin(), scanner_.end() - scanner_.begin());
  const std::optional<HttpError> error = ParseHead(head, &request);
  buffer_.Consume(scanner_.end());
  scanner_.Reset();
  head_start_ = Time{};
  Enqueue(state);
  if (error) return FailTail(MakeErrorResponse(error->status, error->message));

  state->close_after = !request.keep_alive || (set_->draining() && !reading_rest_);
  HeadDecision decision = handler_->OnHead(request);
  const uint64_t length = request.content_length.value_or(0);
  if (decision.refusal) return RefuseRequest(std::move(*decision.refusal));
  if (length > decision.max_body_bytes) {
    return FailTail(handler_->BodyTooLarge(request, length, decision.max_body_bytes));
  }
  if (request.chunked) {
    input_ = Input::kChunks;
    max_body_ = decision.max_body_bytes;
    body_.AlignAt(decision.aligned_body_offset);
    chunks_ = ChunkDecoder(options_.max_chunks, options_.max_head_bytes);
    state->continue_due = request.expect_continue && buffer_.empty();
  } else {
    state->continue_due = request.expect_continue && buffer_.empty() && length > 0;
    body_.AlignAt(decision.aligned_body_offset);
    StartBody(length);
  }
}

void HttpConnection::StartBody(uint64_t length) {
  input_ = Input::kBody;
  body_length_ = length;
  body_in_buffer_ = buffer_.CanHold(length);
  if (body_in_buffer_) return;
  if (!body_.Reserve(length)) {
    return FailTail(MakeErrorResponse(503, "no memory for the request body"));
  }
  const std::string_view first = buffer_.unparsed();
  body_.Append(first);
  buffer_.Consume(first.size());
}

bool HttpConnection::ParseBodyAvailable() {
  const size_t length = static_cast<size_t>(body_length_);
  if (!body_in_buffer_) {
    if (body_.size() < length) return false;
    CompleteRequest(body_.Finish());
    return true;
  }
  if (buffer_.unparsed().size() < length) return false;
  HttpBody body = EmptyBody();
  if (length > 0) body = {buffer_.owner(), buffer_.unparsed().data(), length};
  buffer_.Consume(length);
  CompleteRequest(std::move(body));
  return true;
}

bool HttpConnection::ParseChunksAvailable() {
  while (!buffer_.empty()) {
    size_t consumed = 0;
    std::string_view data;
    const ChunkDecoder::Result result = chunks_.Decode(buffer_.unparsed(), &consumed, &data);
    if (body_.size() + data.size() > max_body_) {
      FailTail(handler_->BodyTooLarge(tail_->request(), body_.size() + data.size(), max_body_));
      return false;
    }
    if (!data.empty() && !body_.Append(data)) {
      FailTail(MakeErrorResponse(503, "no memory for the request body"));
      return false;
    }
    buffer_.Consume(consumed);
    switch (result) {
      case ChunkDecoder::Result::kNeedMore:
      case ChunkDecoder::Result::kData:
        break;
      case ChunkDecoder::Result::kDone:
        CompleteRequest(body_.Finish());
        return true;
      case ChunkDecoder::Result::kMalformed:
        FailTail(MakeErrorResponse(400, "malformed chunked request body"));
        return false;
      case ChunkDecoder::Result::kTooManyChunks:
        FailTail(MakeErrorResponse(
            400, "Chunked request body exceeds maximum of " + std::to_string(options_.max_chunks) +
                     " non-empty chunks. Send fewer or larger HTTP chunks."));
        return false;
    }
  }
  return false;
}

bool HttpConnection::DiscardAvailable() {
  const size_t here =
      static_cast<size_t>(std::min<uint64_t>(discard_left_, buffer_.unparsed().size()));
  buffer_.Consume(here);
  discard_left_ -= here;
  if (discard_left_ > 0) return false;
  input_ = Input::kHead;
  return true;
}

void HttpConnection::CompleteRequest(HttpBody body) {
  ExchangeState* state = tail_;
  state->mutable_request().body = std::move(body);
  state->body_complete = true;
  state->continue_due = false;
  input_ = state->close_after ? Input::kStopped : Input::kHead;
  state->Ref();
  handler_->OnRequest(HttpExchange(state));
}

// The body is read and thrown away if it is short; the connection ends otherwise.
void HttpConnection::RefuseRequest(HttpResponse response) {
  const HttpRequest& request = tail_->request();
  const uint64_t length = request.content_length.value_or(0);
  const bool client_waits = request.expect_continue && buffer_.empty();
  const bool has_body = request.chunked || length > 0;
  if (has_body && (request.chunked || client_waits || length > options_.max_discard_bytes)) {
    return FailTail(std::move(response));
  }
  discard_left_ = length;
  input_ = tail_->close_after ? Input::kStopped : Input::kDiscard;
  if (tail_->close_after && has_body) linger_ = true;
  tail_->Answer(std::move(response));
}

void HttpConnection::Fail(HttpError error) {
  if (input_ == Input::kHead) Enqueue(new ExchangeState(set_->loop(), this));
  FailTail(MakeErrorResponse(error.status, error.message));
}

void HttpConnection::FailTail(HttpResponse response) {
  tail_->continue_due = false;
  tail_->close_after = true;
  linger_ = true;
  input_ = Input::kStopped;
  tail_->Answer(std::move(response));
}

// --- Answering ---------------------------------------------------------------------------------

void HttpConnection::OnOutbox(ExchangeState* state) {
  if (closed_ || advancing_ || state != front_) return;
  Entry entry(this);
  Advance();
}

void HttpConnection::Advance() {
  if (closed_ || advancing_) return;
  advancing_ = true;
  do {
    ParseAvailable();
    EmitReady();
    Flush();
  } while (!closed_ && parse_blocked_ && MayStartRequest());
  advancing_ = false;
  if (!closed_) FinishIfDone();
  if (!closed_) UpdateInterest();
}

void HttpConnection::EmitReady() {
  while (!closed_ && !closing_ && front_ != nullptr && EmitFront()) {
  }
  if (!closing_ || input_ == Input::kLinger) return;
  if (input_ != Input::kHead && input_ != Input::kStopped) linger_ = true;
  input_ = Input::kStopped;
  DropPipeline();
}

// Writes what the oldest request's outbox holds; true when its answer is complete.
bool HttpConnection::EmitFront() {
  ExchangeState* state = front_;
  if (std::exchange(state->continue_due, false)) WriteContinue(output_);
  if (!state->HasMail()) return false;
  ExchangeState::Outbox outbox = state->TakeOutbox();
  if (output_.empty()) last_output_ = ConnectionSet::Now();

  ResponseFraming framing;
  framing.version_minor = state->request().version_minor;
  framing.head_only = state->request().method == HttpMethod::kHead;
  if (outbox.head) {
    const bool is_last = set_->draining() && state == tail_;
    if (outbox.head->closes_connection() || is_last ||
        (outbox.streaming && framing.version_minor == 0)) {
      state->close_after = true;
    }
    framing.close = state->close_after;
    if (outbox.streaming) {
      state->stream_started = true;
      WriteStreamHead(framing, std::move(*outbox.head), output_);
    } else {
      WriteResponse(framing, std::move(*outbox.head), output_);
    }
  }
  for (HttpSegment& segment : outbox.segments) {
    WriteStreamData(framing, std::move(segment), output_);
  }
  if (!outbox.ended) return false;
  if (outbox.aborted) {
    abort_ = true;
    // Without chunks an orderly end would look like a complete body.
    hard_ = framing.version_minor == 0;
  } else if (outbox.streaming) {
    WriteStreamEnd(framing, output_);
  }
  closing_ = state->close_after || abort_;
  has_served_ = true;
  PopFront();
  return true;
}

void HttpConnection::Flush() {
  if (closed_ || output_.empty()) return;
  size_t sent = 0;
  if (output_.Flush(fd_, &sent) == WriteQueue::Result::kError) return Close();
  if (sent > 0) last_output_ = ConnectionSet::Now();
  const bool streaming = front_ != nullptr && front_->stream_started;
  if (streaming && output_.size() > options_.max_stream_backlog) CloseHard();
}

void HttpConnection::FinishIfDone() {
  if (!output_.empty()) return;
  if (closing_) {
    if (hard_) return CloseHard();
    if (abort_ || !(linger_ || !buffer_.empty())) return Close();
    if (input_ != Input::kLinger) StartLinger();
  } else if (end_of_input_ && front_ == nullptr) {
    Close();
  }
}

void HttpConnection::StartLinger() {
  if (end_of_input_) return Close();
  shutdown(fd_, SHUT_WR);
  input_ = Input::kLinger;
  linger_start_ = ConnectionSet::Now();
}

void HttpConnection::UpdateInterest() {
  const bool ignoring = input_ == Input::kStopped && ignored_ > kMaxIgnored;
  short wanted = EV_PERSIST | EV_READ;
  // Nothing is to be read: only what happens to the connection as a whole is still of interest,
  // and that must be reported once, not for as long as it is so.
  if (end_of_input_ || parse_blocked_ || ignoring) wanted |= EV_ET;
  if (!output_.empty()) wanted |= EV_WRITE;
  if (wanted == interest_) return;
  if (interest_ != 0) event_del(event_);
  interest_ = wanted;
  event_assign(event_, set_->loop()->base(), fd_, wanted, &HttpConnection::OnEvent, this);
  event_add(event_, nullptr);
}

// --- Ending ------------------------------------------------------------------------------------

bool HttpConnection::Expired(Time since, std::chrono::milliseconds timeout, Time now) const {
  if (set_->draining() && (timeout.count() == 0 || timeout > options_.drain_timeout)) {
    timeout = options_.drain_timeout;
  }
  return timeout.count() > 0 && now - since >= timeout;
}

void HttpConnection::CheckTimeouts(Time now) {
  Entry entry(this);
  if (input_ == Input::kLinger) {
    if (Expired(linger_start_, options_.linger_timeout, now)) Close();
    return;
  }
  if (!output_.empty()) {
    if (Expired(last_output_, options_.write_timeout, now)) CloseHard();
    return;
  }
  switch (input_) {
    case Input::kBody:
    case Input::kChunks:
      // A client that waits for its 100 Continue behind other requests is not to blame.
      if (tail_->continue_due || !Expired(last_input_, options_.body_timeout, now)) return;
      Fail({408, "timed out waiting for the request body"});
      return Advance();
    case Input::kDiscard:
      if (Expired(last_input_, options_.body_timeout, now)) Close();
      return;
    case Input::kHead:
      break;
    case Input::kStopped:
    case Input::kLinger:
      return;
  }
  if (!buffer_.empty()) {
    if (parse_blocked_ || !Expired(head_start_, options_.head_timeout, now)) return;
    Fail({408, "timed out waiting for the request head"});
    return Advance();
  }
  if (front_ != nullptr) return;
  buffer_.ReleaseIfIdle();
  const auto timeout = has_served_ ? options_.idle_timeout : options_.head_timeout;
  if (Expired(std::max(last_input_, last_output_), timeout, now)) Close();
}

bool HttpConnection::Idle() const {
  return input_ == Input::kHead && buffer_.empty() && front_ == nullptr && output_.empty();
}

void HttpConnection::Drain() {
  Entry entry(this);
  // Requests that are already in the socket are still answered.
  reading_rest_ = true;
  if (input_ == Input::kHead && !parse_blocked_ && !end_of_input_) OnReadable();
  reading_rest_ = false;
  // The first request of a client that has just connected is on its way; it gets drain_timeout.
  if (!closed_ && Idle() && has_served_) Close();
}

void HttpConnection::Abort() {
  Entry entry(this);
  Close();
}

void HttpConnection::Close() {
  if (closed_) return;
  closed_ = true;
  event_free(event_);
  close(fd_);
  set_->Remove(this);
  DropPipeline();
}

// Ends with a reset, and frees what the kernel still holds for a client that does not read.
void HttpConnection::CloseHard() {
  const linger none{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
  Close();
}

void HttpConnection::Enqueue(ExchangeState* state) {
  (front_ == nullptr ? front_ : tail_->next_in_pipeline) = state;
  tail_ = state;
  ++pipelined_;
}

void HttpConnection::PopFront() {
  ExchangeState* state = front_;
  front_ = state->next_in_pipeline;
  if (front_ == nullptr) tail_ = nullptr;
  --pipelined_;
  state->Detach();
  state->Unref();
}

void HttpConnection::DropPipeline() {
  while (front_ != nullptr) PopFront();
}

}  // namespace nereid
