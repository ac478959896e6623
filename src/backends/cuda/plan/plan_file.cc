#include "backends/cuda/plan/plan_file.h"

#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

constexpr std::string_view kMagic = "NRDPLAN\x1a";
constexpr uint32_t kVersion = 1;
enum SectionType : uint32_t { kMeta = 1, kArtifacts = 2 };

constexpr size_t kDigestBytes = 32;
constexpr size_t kHeaderBytes = 8 + 4 + 4 + 8;  // magic, version, section count, file size
constexpr size_t kRowBytes = 4 + 4 + 8 + 8 + kDigestBytes;  // type, 0, offset, size, digest

template <typename T>
void Put(std::string& out, T number) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(number >> (8 * i));
}

void PutText(std::string& out, std::string_view text) {
  Put<uint64_t>(out, text.size());
  out += text;
}

void PutDigest(std::string& out, const Sha256Digest& digest) {
  out.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

// Takes what Put wrote off the front of bytes; after the first failure everything is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Number() {
    const std::string_view bytes = Bytes(sizeof(T));
    T number = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      number |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return number;
  }
  std::string_view Bytes(uint64_t size) {
    failed_ = failed_ || size > rest_.size();
    if (failed_) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view Text() { return Bytes(Number<uint64_t>()); }
  bool failed() const { return failed_; }
  bool done() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

struct Row {
  uint32_t type = 0;
  std::string_view bytes;
};

absl::Status Damaged(std::string_view why) { return absl::DataLossError(StrCat("it ", why)); }

bool HasDigest(std::string_view bytes, std::string_view digest) {
  const Sha256Digest own = Sha256Of(bytes);
  return digest == std::string_view(reinterpret_cast<const char*>(own.data()), own.size());
}

// The sections, which lie one behind the other and fill the file.
absl::StatusOr<std::vector<Row>> ReadTable(std::string_view bytes) {
  Reader header(bytes);
  if (header.Bytes(kMagic.size()) != kMagic) return Damaged("is no plan");
  const auto version = header.Number<uint32_t>(), count = header.Number<uint32_t>();
  const auto file_size = header.Number<uint64_t>();
  if (!header.failed() && version != kVersion) {
    return absl::FailedPreconditionError(StrCat("it has format ", version, ", not ", kVersion));
  }
  if (file_size != bytes.size() || count > bytes.size() / kRowBytes) return Damaged("is cut off");
  const size_t table_bytes = kHeaderBytes + count * kRowBytes;
  Reader behind(bytes);
  const std::string_view table = behind.Bytes(table_bytes);
  if (!HasDigest(table, behind.Bytes(kDigestBytes))) return Damaged("is damaged");
  std::vector<Row> rows;
  for (uint32_t i = 0; i < count; ++i) {
    const auto type = header.Number<uint32_t>(), zero = header.Number<uint32_t>();
    const auto offset = header.Number<uint64_t>(), size = header.Number<uint64_t>();
    const std::string_view digest = header.Bytes(kDigestBytes), section = behind.Bytes(size);
    const bool in_place =
        !behind.failed() && zero == 0 &&
        offset + size == static_cast<uint64_t>(section.data() + section.size() - bytes.data());
    if (!in_place || !HasDigest(section, digest)) return Damaged("is damaged");
    rows.push_back({type, section});
  }
  if (!behind.done()) return Damaged("has bytes that belong to nothing");
  return rows;
}

absl::StatusOr<PlanSection> ReadArtifacts(std::string_view bytes) {
  Reader reader(bytes);
  PlanSection section;
  section.subject = reader.Text();
  section.version = reader.Text();
  while (!reader.failed() && !reader.done()) {
    std::string key(reader.Text());
    section.entries.insert_or_assign(std::move(key), std::string(reader.Text()));
  }
  if (reader.failed()) return Damaged("has a section that ends too early");
  return section;
}

}  // namespace

std::string EncodePlan(const PlanContents& contents) {
  std::vector<std::pair<SectionType, std::string>> sections;
  sections.emplace_back(kMeta, contents.model);
  for (const PlanSection& section : contents.sections) {
    std::string& bytes = sections.emplace_back(kArtifacts, "").second;
    PutText(bytes, section.subject);
    PutText(bytes, section.version);
    for (const auto& [key, value] : section.entries) {
      PutText(bytes, key);
      PutText(bytes, value);
    }
  }
  uint64_t offset = kHeaderBytes + sections.size() * kRowBytes + kDigestBytes;
  uint64_t file_size = offset;
  for (const auto& [type, bytes] : sections) file_size += bytes.size();
  std::string out(kMagic);
  Put<uint32_t>(out, kVersion);
  Put<uint32_t>(out, static_cast<uint32_t>(sections.size()));
  Put<uint64_t>(out, file_size);
  for (const auto& [type, bytes] : sections) {
    Put<uint32_t>(out, type);
    Put<uint32_t>(out, 0);
    Put<uint64_t>(out, offset);
    Put<uint64_t>(out, bytes.size());
    PutDigest(out, Sha256Of(bytes));
    offset += bytes.size();
  }
  PutDigest(out, Sha256Of(out));
  for (const auto& [type, bytes] : sections) out += bytes;
  return out;
}

absl::StatusOr<PlanContents> DecodePlan(std::string_view bytes) {
  NEREID_ASSIGN_OR_RETURN(const std::vector<Row> rows, ReadTable(bytes));
  if (rows.empty() || rows[0].type != kMeta) return Damaged("does not say whose it is");
  PlanContents contents{std::string(rows[0].bytes), {}};
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].type != kArtifacts) return Damaged("has a section of an unknown type");
    NEREID_ASSIGN_OR_RETURN(PlanSection section, ReadArtifacts(rows[i].bytes));
    contents.sections.push_back(std::move(section));
  }
  return contents;
}

}  // namespace nereid::engine
