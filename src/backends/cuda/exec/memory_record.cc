#include "backends/cuda/exec/memory_record.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "common/recent_map.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr size_t kMostPrograms = 256;

RecentMap<std::string, MemoryRecord>& Known() {
  constexpr size_t kMostModels = 1024;
  static auto& known = *new RecentMap<std::string, MemoryRecord>(kMostModels);
  return known;
}

std::string FileKey(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  const auto time = std::filesystem::last_write_time(path, error);
  return StrCat(path, "\n", size, "\n", time.time_since_epoch().count());
}

// The driver's version is that of the findings, not of the GPU.
ArtifactScope ScopeOf(const std::string& fingerprint) {
  const size_t driver = std::min(fingerprint.rfind(", driver "), fingerprint.size());
  return {StrCat("memory on ", fingerprint.substr(0, driver)),
          StrCat("nereid ", NEREID_VERSION, fingerprint.substr(driver))};
}

// The number that `text` begins with, and the character behind it, taken off.
std::optional<size_t> TakeNumber(std::string_view& text, char end) {
  size_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<size_t>(rest - text.data()));
  if (error != std::errc() || text.empty() || text.front() != end) return std::nullopt;
  text.remove_prefix(1);
  return number;
}

size_t TotalOf(const ProgramMemory& memory) {
  return memory.arena + memory.workspace + memory.graphs + memory.staging;
}

bool Close(size_t a, size_t b, size_t whole) {
  constexpr size_t kPart = 100;
  return (a > b ? a - b : b - a) * kPart <= whole;
}

bool NearlyEqual(const MemoryRecord& a, const MemoryRecord& b) {
  if (a.programs.size() != b.programs.size() || !Close(a.shared, b.shared, a.shared)) return false;
  return std::ranges::all_of(a.programs, [&](const auto& row) {
    const auto other = b.programs.find(row.first);
    const size_t total = TotalOf(row.second);
    return other != b.programs.end() && Close(total, TotalOf(other->second), a.shared + total);
  });
}

}  // namespace

void MemoryRecord::Note(const std::string& shapes, const ProgramMemory& memory) {
  if (programs.size() >= kMostPrograms && !programs.contains(shapes)) return;
  ProgramMemory& own = programs[shapes];
  const size_t graphs = memory.graphs > 0 ? memory.graphs : own.graphs;
  own = memory;
  own.graphs = graphs;
}

std::string MemoryRecord::Encode() const {
  std::string text = StrCat(shared, "\n");
  for (const auto& [shapes, memory] : programs) {
    StrAppend(&text, memory.arena, " ", memory.workspace, " ", memory.graphs, " ", memory.staging,
              " ", shapes, "\n");
  }
  return text;
}

MemoryRecord MemoryRecord::Decode(std::string_view text) {
  MemoryRecord record;
  const auto shared = TakeNumber(text, '\n');
  if (!shared) return {};
  record.shared = *shared;
  while (!text.empty()) {
    ProgramMemory memory;
    for (size_t* number : {&memory.arena, &memory.workspace, &memory.graphs, &memory.staging}) {
      const auto taken = TakeNumber(text, ' ');
      if (!taken) return {};
      *number = *taken;
    }
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    record.Note(std::string(text.substr(0, end)), memory);
    text.remove_prefix(end + 1);
  }
  return record;
}

std::string ShapesKey(absl::Span<const Shape> shapes) {
  std::string key;
  for (const Shape& shape : shapes) {
    for (const int64_t extent : shape) StrAppend(&key, extent, "x");
    StrAppend(&key, ",");
  }
  return key;
}

MemoryNotes::MemoryNotes(Subject subject, std::shared_ptr<ArtifactStore> plan)
    : plan_(std::move(plan)),
      scope_(ScopeOf(subject.fingerprint)),
      options_(std::move(subject.options)),
      key_(StrCat(FileKey(subject.path), "\n", subject.fingerprint, "\n", options_)) {}

MemoryRecord MemoryNotes::Read() const {
  if (auto known = Known().Find(key_)) return *std::move(known);
  const auto text = plan_ == nullptr ? std::nullopt : plan_->Find(scope_, options_);
  return text ? MemoryRecord::Decode(*text) : MemoryRecord{};
}

void MemoryNotes::Keep(const MemoryRecord& record) const { Known().Keep(key_, record); }

void MemoryNotes::KeepInPlan(const MemoryRecord& record) const {
  Keep(record);
  if (plan_ == nullptr) return;
  const auto text = plan_->Find(scope_, options_);
  if (text && NearlyEqual(MemoryRecord::Decode(*text), record)) return;
  plan_->Remember(scope_, options_, record.Encode());
}

}  // namespace nereid::engine
