#pragma once

#include <atomic>
#include <sstream>
#include <string>

#include "absl/status/status.h"

namespace nereid {

enum class LogLevel : int { kError = 0, kWarning = 1, kInfo = 2, kVerbose = 3 };
enum class LogFormat : int { kDefault, kIso8601 };

// What is logged and where. The process has one log, on standard error unless `file` names a file.
struct LogOptions {
  bool info = true;
  bool warning = true;
  bool error = true;
  int verbose_level = 0;  // 0: no verbose lines
  LogFormat format = LogFormat::kDefault;
  std::string file;  // empty: standard error
};

// Applies `options` to the process's log. Fails (changing nothing) when the file cannot be opened.
// Any thread; a full disk loses lines, never the process.
absl::Status ConfigureLog(const LogOptions& options);
LogOptions CurrentLogOptions();

namespace log_internal {
extern std::atomic<int> enabled_mask;  // bit per LogLevel
extern std::atomic<int> verbose_level;
inline bool Enabled(LogLevel level, int verbosity) {
  if (level == LogLevel::kVerbose) {
    return verbose_level.load(std::memory_order_relaxed) >= verbosity;
  }
  return ((enabled_mask.load(std::memory_order_relaxed) >> static_cast<int>(level)) & 1) != 0;
}

// Collects one line and writes it when it goes out of scope.
class Line {
 public:
  Line(LogLevel level, const char* file, int line) : level_(level), file_(file), line_(line) {}
  ~Line();
  std::ostream& stream() { return stream_; }

 private:
  LogLevel level_;
  const char* file_;
  int line_;
  std::ostringstream stream_;
};
}  // namespace log_internal

// Writes `text` as it is, without the line prefix: the start-up tables.
void LogRaw(LogLevel level, const std::string& text);

}  // namespace nereid

// NLOG(Info) << "text"; the text is built only when the level is on. (The switch keeps an `else`
// that follows from binding to the macro's own `if`.)
#define NLOG(level) NEREID_LOG_AT(::nereid::LogLevel::k##level, 1)

// NVLOG(2) << "text": a verbose line of that verbosity.
#define NVLOG(verbosity) NEREID_LOG_AT(::nereid::LogLevel::kVerbose, verbosity)

#define NEREID_LOG_AT(level, verbosity)                       \
  switch (0)                                                  \
  case 0:                                                     \
  default:                                                    \
    if (!::nereid::log_internal::Enabled(level, verbosity)) { \
    } else /* NOLINT */                                       \
      ::nereid::log_internal::Line(level, __FILE__, __LINE__).stream()
