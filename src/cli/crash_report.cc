#include "cli/crash_report.h"

#include <execinfo.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string_view>

namespace nereid {
namespace {

constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr int kMaxFrames = 128;
constexpr unsigned kMaxSeconds = 10;  // a report that hangs must not keep the process

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// Nothing below may allocate or lock: it runs wherever the crash has happened.

void Write(std::string_view text) {
  static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()) > 0);
}

void WriteNumber(uint64_t number, int base) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number, base).ptr;
  Write({digits.data(), static_cast<size_t>(end - digits.data())});
}

void Unblock(int number) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, number);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void EndBy(int number) {
  std::signal(number, SIG_DFL);
  Unblock(number);
  static_cast<void>(std::raise(number));
}

// All signals are blocked meanwhile, so that a crash in here ends the process at once.
void Report(int number, siginfo_t* info, void*) {
  static std::atomic<bool> reporting{false};
  while (reporting.exchange(true)) pause();  // the first thread's report ends the process
  std::signal(SIGALRM, SIG_DFL);
  Unblock(SIGALRM);
  alarm(kMaxSeconds);
  Write("Signal (");
  WriteNumber(static_cast<uint64_t>(number), 10);
  Write(") received.\n");
  if (number == SIGSEGV || number == SIGBUS) {
    Write("at address 0x");
    WriteNumber(reinterpret_cast<uintptr_t>(info->si_addr), 16);
    Write("\n");
  }
  Write("nereid " NEREID_VERSION " crashed here, innermost first:\n");
  std::array<void*, kMaxFrames> frames;
  backtrace_symbols_fd(frames.data(), backtrace(frames.data(), kMaxFrames), STDERR_FILENO);
  EndBy(number);
}

}  // namespace

void ReportCrashes() {
  if (kSanitized) return;
  void* frame = nullptr;
  backtrace(&frame, 1);  // the first call loads a library, which later ones may not
  // The main thread's stack may be what has run out; other threads' then end without a report.
  static std::array<char, 64 << 10> stack;
  const stack_t other_stack = {.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  sigaltstack(&other_stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = Report;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  for (const int number : kCrashes) sigaction(number, &action, nullptr);
}

}  // namespace nereid
