#include "assembly/process_state.h"

#include <cstring>
#include <map>
#include <type_traits>
#include <utility>

namespace nereid {
namespace {

// Another one for each change of what follows.
constexpr char kMagic[] = "nereid process state 1";

template <typename T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T>;

// Both directions walk over the same members, see Walk() below: numbers as they are in memory,
// whatever has a length behind its length.
class Writer {
 public:
  static constexpr bool kReads = false;
  explicit Writer(std::string* out) : out_(out) {}

  template <Plain T>
  void operator()(const T& value) {
    out_->append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void operator()(const std::string& value) {
    (*this)(uint64_t{value.size()});
    out_->append(value);
  }

 private:
  std::string* const out_;
};

class Reader {
 public:
  static constexpr bool kReads = true;
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return ok_ && left_.empty(); }

  template <Plain T>
  void operator()(T& value) {
    const std::string_view bytes = Take(sizeof(value));
    if (ok_) std::memcpy(&value, bytes.data(), sizeof(value));
  }
  void operator()(bool& value) {
    uint8_t byte = 0;
    (*this)(byte);
    value = byte != 0;
  }
  void operator()(std::string& value) {
    uint64_t size = 0;
    (*this)(size);
    value = Take(size);
  }

 private:
  std::string_view Take(uint64_t size) {
    ok_ = ok_ && size <= left_.size();
    if (!ok_) return {};
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  std::string_view left_;
  bool ok_ = true;
};

template <typename Archive, Plain T>
void Walk(Archive& archive, T& value) {
  archive(value);
}
template <typename Archive>
void Walk(Archive& archive, std::string& value) {
  archive(value);
}
template <typename Archive, typename T>
void Walk(Archive& archive, std::vector<T>& list);
template <typename Archive, typename T>
void Walk(Archive& archive, std::optional<T>& value);
template <typename Archive>
void Walk(Archive& archive, std::map<std::string, std::string>& files);

template <typename Archive, typename... T>
void WalkAll(Archive& archive, T&... members) {
  (Walk(archive, members), ...);
}
template <typename Archive>
void Walk(Archive& archive, ProcessState::Sockets& sockets) {
  WalkAll(archive, sockets.http, sockets.grpc, sockets.metrics);
}
template <typename Archive>
void Walk(Archive& archive, LogOptions& log) {
  WalkAll(archive, log.info, log.warning, log.error, log.verbose_level, log.format, log.file);
}
template <typename Archive>
void Walk(Archive& archive, RequestedModel& model) {
  WalkAll(archive, model.name, model.with.config_json, model.with.files);
}
template <typename Archive>
void Walk(Archive& archive, SharedMemoryInfo& region) {
  WalkAll(archive, region.kind, region.name, region.key, region.offset, region.byte_size,
          region.device, region.handle);
}
template <typename Archive>
void Walk(Archive& archive, ProcessState& state) {
  WalkAll(archive, state.restarts, state.reason, state.failures, state.sockets, state.log,
          state.models, state.regions);
}

// Elements are read one by one: a length that lies costs nothing.
template <typename Archive, typename T>
void Walk(Archive& archive, std::vector<T>& list) {
  uint64_t size = list.size();
  Walk(archive, size);
  if constexpr (Archive::kReads) {
    for (; size > 0 && archive.ok(); --size) Walk(archive, list.emplace_back());
  } else {
    for (T& element : list) Walk(archive, element);
  }
}
template <typename Archive, typename T>
void Walk(Archive& archive, std::optional<T>& value) {
  bool has = value.has_value();
  Walk(archive, has);
  if (has && !value) value.emplace();
  if (has) Walk(archive, *value);
}
template <typename Archive>
void Walk(Archive& archive, std::map<std::string, std::string>& files) {
  uint64_t size = files.size();
  Walk(archive, size);
  if constexpr (Archive::kReads) {
    for (; size > 0 && archive.ok(); --size) {
      std::string name;
      Walk(archive, name);
      Walk(archive, files[name]);
    }
  } else {
    for (auto& [name, content] : files) {
      archive(name);
      archive(content);
    }
  }
}

}  // namespace

std::string SerializeProcessState(const ProcessState& state) {
  std::string bytes = kMagic;
  Writer writer(&bytes);
  Walk(writer, const_cast<ProcessState&>(state));  // a writer changes nothing
  return bytes;
}

absl::StatusOr<ProcessState> ParseProcessState(std::string_view bytes) {
  constexpr std::string_view kBegin = kMagic;
  if (!bytes.starts_with(kBegin)) return absl::InvalidArgumentError("is no state of a process");
  Reader reader(bytes.substr(kBegin.size()));
  ProcessState state;
  Walk(reader, state);
  if (!reader.AtEnd()) return absl::InvalidArgumentError("the state of the process is damaged");
  return state;
}

}  // namespace nereid
