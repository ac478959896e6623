#include "net/http_exchange.h"

#include <memory>

#include "net/exchange_state.h"

namespace nereid {

HttpExchange& HttpExchange::operator=(HttpExchange&& other) noexcept {
  if (this != &other) {
    Drop();
    state_ = std::exchange(other.state_, nullptr);
  }
  return *this;
}

const HttpRequest& HttpExchange::request() const { return state_->request(); }

EventLoop& HttpExchange::loop() const { return state_->loop(); }

void HttpExchange::Reply(HttpResponse response) {
  ExchangeState* state = std::exchange(state_, nullptr);
  state->Reply(std::move(response));
  state->Unref();
}

void HttpExchange::StartStream(HttpResponse head) { state_->StartStream(std::move(head)); }

bool HttpExchange::Write(std::string bytes) {
  auto text = std::make_shared<const std::string>(std::move(bytes));
  return state_->Write({text, text->data(), text->size()});
}

bool HttpExchange::Write(HttpSegment segment) { return state_->Write(std::move(segment)); }

void HttpExchange::End() {
  ExchangeState* state = std::exchange(state_, nullptr);
  state->End();
  state->Unref();
}

void HttpExchange::OnCancel(absl::AnyInvocable<void()> callback) {
  state_->OnCancel(std::move(callback));
}

bool HttpExchange::cancelled() const { return state_->cancelled(); }

void HttpExchange::Drop() {
  if (ExchangeState* state = std::exchange(state_, nullptr); state != nullptr) state->Release();
}

}  // namespace nereid
