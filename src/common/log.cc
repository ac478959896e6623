#include "common/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "common/json_text.h"
#include "common/strings.h"

namespace nereid {
namespace log_internal {

std::atomic<int> enabled_mask{0b0111};
std::atomic<int> verbose_level{0};

}  // namespace log_internal

namespace {

constexpr char kDefaultPattern[] = "%^%L%m%d %H:%M:%S.%f %P %s:%#] %v%$";
constexpr char kIso8601Pattern[] = "%Y-%m-%dT%H:%M:%SZ %L %P %s:%#] %v";
constexpr char kRawPattern[] = "%v";

using Sink = std::shared_ptr<spdlog::sinks::sink>;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

std::unique_ptr<spdlog::formatter> Formatter(const char* pattern, const char* end_of_line) {
  return std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc,
                                                     end_of_line);
}

// The process's log: spdlog sinks behind a lock. What a sink cannot write is lost, never the
// process.
class Log {
 public:
  static Log& Instance() {
    static Log* log = new Log;  // never destroyed: lines may come from late destructors
    return *log;
  }

  absl::Status Configure(const LogOptions& options) {
    Sink out;
    Sink err;
    try {
      if (options.file.empty()) {
        out = std::make_shared<spdlog::sinks::stdout_sink_mt>();
        err = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      } else {
        out = err = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
      }
    } catch (const std::exception& error) {
      return absl::UnavailableError(
          StrCat("failed to open log file '", options.file, "': ", error.what()));
    }
    std::lock_guard<std::mutex> lock(mutex_);
    options_ = options;
    out_ = std::move(out);
    err_ = std::move(err);
    SetPattern();
    log_internal::enabled_mask =
        (options.error ? 1 : 0) | (options.warning ? 2 : 0) | (options.info ? 4 : 0);
    log_internal::verbose_level = options.verbose_level;
    return absl::OkStatus();
  }

  LogOptions options() {
    std::lock_guard<std::mutex> lock(mutex_);
    return options_;
  }

  void Write(LogLevel level, const char* file, int line, std::string_view text) {
    const spdlog::details::log_msg message(spdlog::source_loc{file, line, ""}, "", ToSpdlog(level),
                                           spdlog::string_view_t(text.data(), text.size()));
    std::lock_guard<std::mutex> lock(mutex_);
    WriteTo(level <= LogLevel::kWarning ? *err_ : *out_, message);
  }

  void WriteRaw(LogLevel level, std::string_view text) {
    const spdlog::details::log_msg message("", ToSpdlog(level),
                                           spdlog::string_view_t(text.data(), text.size()));
    std::lock_guard<std::mutex> lock(mutex_);
    spdlog::sinks::sink& sink = level <= LogLevel::kWarning ? *err_ : *out_;
    sink.set_formatter(Formatter(kRawPattern, ""));
    WriteTo(sink, message);
    SetPattern();
  }

  bool escape() const { return escape_; }

 private:
  Log() {
    const char* escape = std::getenv("TRITON_SERVER_ESCAPE_LOG_MESSAGES");
    escape_ = escape == nullptr || std::string_view(escape) != "0";
    // Standard streams always open.
    Configure(LogOptions{}).IgnoreError();
  }

  void SetPattern() {
    const bool iso = options_.format == LogFormat::kIso8601;
    for (const Sink& sink : {out_, err_}) {
      sink->set_formatter(Formatter(iso ? kIso8601Pattern : kDefaultPattern, "\n"));
    }
  }

  static void WriteTo(spdlog::sinks::sink& sink, const spdlog::details::log_msg& message) {
    try {
      sink.log(message);
      sink.flush();
    } catch (const std::exception&) {
      // A full disk or a closed stream loses the line.
    }
  }

  std::mutex mutex_;
  LogOptions options_;  // guarded by mutex_
  Sink out_;            // guarded by mutex_; information
  Sink err_;            // guarded by mutex_; warnings and errors
  bool escape_ = true;
};

}  // namespace

absl::Status ConfigureLog(const LogOptions& options) { return Log::Instance().Configure(options); }

LogOptions CurrentLogOptions() { return Log::Instance().options(); }

void LogRaw(LogLevel level, const std::string& text) {
  if (log_internal::Enabled(level, 1)) Log::Instance().WriteRaw(level, text);
}

namespace log_internal {

Line::~Line() {
  Log& log = Log::Instance();
  if (!log.escape()) {
    log.Write(level_, file_, line_, stream_.str());
    return;
  }
  std::string text;
  AppendJsonString(stream_.str(), text);
  log.Write(level_, file_, line_, text);
}

}  // namespace log_internal
}  // namespace nereid
