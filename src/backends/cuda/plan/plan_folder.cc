#include "backends/cuda/plan/plan_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/file_descriptor.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxPlanBytes = uint64_t{1} << 30;
constexpr char kTemporarySuffix[] = ".tmp";
constexpr auto kAbandoned = std::chrono::hours(1);  // age of a temporary file that nobody writes

absl::Status SystemError(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string message = StrCat("cannot ", what, " '", path, "': ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  return absl::UnavailableError(message);
}

absl::Status WriteTemporary(const std::string& path, std::string_view bytes) {
  const FileDescriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (file.get() < 0) return SystemError("make", path);
  if (WriteAll(file.get(), bytes) && fsync(file.get()) == 0) return absl::OkStatus();
  absl::Status failed = SystemError("write", path);
  unlink(path.c_str());
  return failed;
}

struct PlanOnDisk {
  std::string path;
  uint64_t size = 0;
  fs::file_time_type used;
};

std::vector<PlanOnDisk> PlansIn(const std::string& folder) {
  std::vector<PlanOnDisk> plans;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone;
    PlanOnDisk plan{at->path().string(), at->file_size(gone), at->last_write_time(gone)};
    if (gone) continue;
    const std::string name = at->path().filename().string();
    const size_t dot = name.find('.');  // a shipped plan is called model.onnx.plan
    if (dot == std::string::npos) continue;
    const std::string_view rest = std::string_view(name).substr(dot);
    if (rest == kPlanSuffix) plans.push_back(std::move(plan));
    if (!rest.starts_with(StrCat(kPlanSuffix, ".")) || !rest.ends_with(kTemporarySuffix)) continue;
    if (fs::file_time_type::clock::now() - plan.used > kAbandoned) unlink(plan.path.c_str());
  }
  return plans;
}

}  // namespace

// Writers replace the file, so the lock may be on one that has been replaced meanwhile.
absl::StatusOr<PlanLock> PlanLock::Acquire(const std::string& path) {
  while (true) {
    PlanLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (lock.descriptor_ < 0) return SystemError("open", path);
    while (flock(lock.descriptor_, LOCK_EX) != 0) {
      if (errno != EINTR) return SystemError("lock", path);
    }
    struct stat locked {};
    struct stat named {};
    if (fstat(lock.descriptor_, &locked) != 0) return SystemError("look at", path);
    if (stat(path.c_str(), &named) != 0) {
      if (errno != ENOENT) return SystemError("look at", path);
      continue;
    }
    if (locked.st_ino == named.st_ino && locked.st_dev == named.st_dev) return lock;
  }
}

PlanLock::PlanLock(PlanLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

PlanLock::~PlanLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<std::string> ReadPlan(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError("read", path);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return SystemError("read", path);
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) > kMaxPlanBytes) {
    return absl::DataLossError("it is no plan");
  }
  if (status.st_size == 0) return absl::NotFoundError(StrCat("'", path, "' is empty"));
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError("read", path);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

absl::Status ReplacePlan(const std::string& path, std::string_view bytes) {
  static std::atomic<uint64_t> counter{0};
  const std::string temporary = StrCat(path, ".", getpid(), ".", ++counter, kTemporarySuffix);
  NEREID_RETURN_IF_ERROR(WriteTemporary(temporary, bytes));
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status status = SystemError("replace", path);
    unlink(temporary.c_str());
    return status;
  }
  const std::string parent = fs::path(path).parent_path().string();
  const FileDescriptor folder(
      open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) fsync(folder.get());  // what it cannot do, the next start does again
  return absl::OkStatus();
}

void TouchPlan(const std::string& path) { utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

void EvictPlans(const std::string& folder, uint64_t limit, const std::string& keep) {
  std::vector<PlanOnDisk> plans = PlansIn(folder);
  uint64_t total = 0;
  for (const PlanOnDisk& plan : plans) total += plan.size;
  std::ranges::sort(plans, {}, &PlanOnDisk::used);
  for (const PlanOnDisk& plan : plans) {
    if (total <= limit) return;
    if (fs::path(plan.path) == fs::path(keep)) continue;
    if (unlink(plan.path.c_str()) == 0) total -= plan.size;
  }
}

}  // namespace nereid::engine
