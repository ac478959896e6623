#pragma once

#include <chrono>
#include <cstdint>

#include "net/chunk_decoder.h"
#include "net/exchange_state.h"
#include "net/head_scanner.h"
#include "net/http_options.h"
#include "net/http_parser.h"
#include "net/read_buffer.h"
#include "net/request_body.h"
#include "net/write_queue.h"

struct event;

namespace nereid {

class ConnectionSet;
class HttpHandler;

// One client connection: reads requests, hands them to the handler, and writes the answers in the
// order of the requests. Lives on one loop thread and deletes itself when it is closed.
//
// In the steady state a small request costs one recv and one sendmsg and no epoll_ctl: the read
// event is persistent, a short read is taken as "drained", and write events are only asked for
// after a short write. A body of known length that does not fit behind its head is received
// straight into one block made for it.
//
// End of input. A client that has shut down its sending side is answered all the same; one that
// is gone must be noticed, because its requests are to be cancelled. Both look alike (the
// connection is readable and ends), so a client that ends its side while an HTTP/1.1 request
// executes is sent an interim "100 Continue", which clients skip: one that is gone replies to it
// with a reset.
class HttpConnection {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Takes over `fd`, non-blocking. Call Start next.
  HttpConnection(ConnectionSet* set, int fd);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  void Start();

  // There is something in the outbox of `state`, which is in this connection's pipeline.
  void OnOutbox(ExchangeState* state);

  // Ends the connection if a time-out has passed.
  void CheckTimeouts(Time now);

  // Ends the connection if it is idle; otherwise it ends with the answer to the last request that
  // has been read by then, or to the one that is arriving.
  void Drain();

  // Ends the connection now; requests in flight are cancelled.
  void Abort();

  // Of the ConnectionSet.
  HttpConnection* previous = nullptr;
  HttpConnection* next = nullptr;

 private:
  enum class Input {
    kHead,     // waiting for, or in, a head
    kBody,     // in a body of known length
    kChunks,   // in a chunked body
    kDiscard,  // in the body of a request that was refused
    kStopped,  // no further request is accepted
    kLinger,   // everything is sent; input is thrown away until the client closes
  };
  struct Span {
    char* data;
    size_t size;
  };

  // Every entry from outside holds one; the outermost deletes a closed connection.
  class Entry {
   public:
    explicit Entry(HttpConnection* connection) : connection_(connection) { ++connection->depth_; }
    ~Entry() {
      if (--connection_->depth_ == 0 && connection_->closed_) delete connection_;
    }

   private:
    HttpConnection* const connection_;
  };

  ~HttpConnection() = default;

  static void OnEvent(int fd, short what, void* self);

  // Receiving.
  void OnReadable();
  Span ReceiveTarget();
  void OnReceived(size_t bytes);
  void OnEndOfInput();
  void ProbeClient();
  void OnWatchEvent();

  // Parsing; each ...Available step returns false when it needs more input or may not go on.
  void ParseAvailable();
  bool ParseHeadAvailable();
  bool ParseBodyAvailable();
  bool ParseChunksAvailable();
  bool DiscardAvailable();
  void StartRequest();
  void StartBody(uint64_t length);
  void CompleteRequest(HttpBody body);
  void RefuseRequest(HttpResponse response);
  void Fail(HttpError error);
  void FailTail(HttpResponse response);
  bool MayStartRequest() const;

  // Answering.
  void Advance();
  void EmitReady();
  bool EmitFront();
  void Flush();
  void FinishIfDone();
  void StartLinger();
  void Close();
  void CloseHard();

  void Enqueue(ExchangeState* state);
  void PopFront();
  void DropPipeline();
  bool Idle() const;
  // `timeout`, or less while the set drains.
  bool Expired(Time since, std::chrono::milliseconds timeout, Time now) const;
  void UpdateInterest();

  ConnectionSet* const set_;
  HttpHandler* const handler_;
  const HttpConnectionOptions& options_;
  const int fd_;
  struct event* event_;
  short interest_ = 0;  // what event_ is added with
  int depth_ = 0;

  // Input.
  Input input_ = Input::kHead;
  ReadBuffer buffer_;
  HeadScanner scanner_;
  ChunkDecoder chunks_;
  RequestBody body_;
  bool body_in_buffer_ = false;
  uint64_t body_length_ = 0;   // of the kBody
  uint64_t max_body_ = 0;      // of the kChunks
  uint64_t discard_left_ = 0;  // of the kDiscard
  size_t ignored_ = 0;         // bytes thrown away in kStopped

  // Pipeline: oldest request first; the last one may still be arriving.
  ExchangeState* front_ = nullptr;
  ExchangeState* tail_ = nullptr;
  int pipelined_ = 0;

  WriteQueue output_;

  bool parse_blocked_ = false;  // input waits until the pipeline or the output has shrunk
  bool advancing_ = false;
  bool end_of_input_ = false;
  bool closing_ = false;  // ends when the output is sent
  bool linger_ = false;   // unread input may be on its way
  bool abort_ = false;    // the last answer was broken off
  bool hard_ = false;     // and only a reset can tell the client
  bool closed_ = false;
  bool has_served_ = false;
  bool reading_rest_ = false;  // in Drain()

  Time head_start_{};  // of a head that is incomplete; zero: none
  Time last_input_;
  Time last_output_;
  Time linger_start_;
};

}  // namespace nereid
