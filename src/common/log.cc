#include "common/log.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <string_view>

#include "absl/strings/str_format.h"
#include "common/json_text.h"
#include "common/strings.h"

namespace nereid {
namespace log_internal {

std::atomic<int> enabled_mask{0b0111};
std::atomic<int> verbose_level{0};

}  // namespace log_internal

namespace {

struct FileCloser {
  void operator()(FILE* file) const { std::fclose(file); }
};

// The process's log. Lines are written whole under one mutex; a failed write loses that line.
class Log {
 public:
  static Log& Instance() {
    static Log* log = new Log;  // never destroyed: lines may come from late destructors
    return *log;
  }

  absl::Status Configure(const LogOptions& options) {
    std::unique_ptr<FILE, FileCloser> file;
    if (!options.file.empty()) {
      file.reset(std::fopen(options.file.c_str(), "ae"));
      if (file == nullptr) {
        return absl::UnavailableError(
            StrCat("failed to open log file '", options.file, "': ", std::strerror(errno)));
      }
    }
    std::lock_guard<std::mutex> lock(mutex_);
    options_ = options;
    file_ = std::move(file);
    log_internal::enabled_mask =
        (options.error ? 1 : 0) | (options.warning ? 2 : 0) | (options.info ? 4 : 0);
    log_internal::verbose_level = options.verbose_level;
    return absl::OkStatus();
  }

  LogOptions options() {
    std::lock_guard<std::mutex> lock(mutex_);
    return options_;
  }

  void Write(LogLevel level, const std::string& text) {
    std::lock_guard<std::mutex> lock(mutex_);
    FILE* out = file_ ? file_.get() : (level <= LogLevel::kWarning ? stderr : stdout);
    std::fwrite(text.data(), 1, text.size(), out);
    std::fflush(out);
    std::clearerr(out);
  }

  LogFormat format() {
    std::lock_guard<std::mutex> lock(mutex_);
    return options_.format;
  }

  bool escape() const { return escape_; }

 private:
  Log() {
    const char* escape = std::getenv("TRITON_SERVER_ESCAPE_LOG_MESSAGES");
    escape_ = escape == nullptr || std::string_view(escape) != "0";
  }

  std::mutex mutex_;
  LogOptions options_;                      // guarded by mutex_
  std::unique_ptr<FILE, FileCloser> file_;  // guarded by mutex_
  bool escape_ = true;
};

std::string Prefix(LogFormat format, LogLevel level, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  const char* base = slash == nullptr ? file : slash + 1;
  const char letter = level == LogLevel::kError ? 'E' : level == LogLevel::kWarning ? 'W' : 'I';
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc{};
  gmtime_r(&now.tv_sec, &utc);
  if (format == LogFormat::kIso8601) {
    return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02dZ %c %d %s:%d] ", utc.tm_year + 1900,
                           utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, letter,
                           getpid(), base, line);
  }
  return absl::StrFormat("%c%02d%02d %02d:%02d:%02d.%06d %d %s:%d] ", letter, utc.tm_mon + 1,
                         utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000,
                         getpid(), base, line);
}

}  // namespace

absl::Status ConfigureLog(const LogOptions& options) { return Log::Instance().Configure(options); }

LogOptions CurrentLogOptions() { return Log::Instance().options(); }

void LogRaw(LogLevel level, const std::string& text) {
  if (log_internal::Enabled(level, 1)) Log::Instance().Write(level, text);
}

namespace log_internal {

Line::~Line() {
  Log& log = Log::Instance();
  std::string text = Prefix(log.format(), level_, file_, line_);
  if (log.escape()) {
    AppendJsonString(stream_.str(), text);
  } else {
    text += stream_.str();
  }
  text += '\n';
  log.Write(level_, text);
}

}  // namespace log_internal
}  // namespace nereid
