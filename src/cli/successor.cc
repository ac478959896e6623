#include "cli/successor.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "common/file_descriptor.h"
#include "common/status_macros.h"
#include "common/strings.h"

namespace nereid {
namespace {

// <descriptor>:<process id>
constexpr char kVariable[] = "NEREID_PROCESS_STATE";
constexpr char kProgram[] = "/proc/self/exe";

absl::StatusOr<std::string> ReadAll(int fd) {
  struct stat info = {};
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, "no state of a process");
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return absl::ErrnoToStatus(errno, "cannot read the state of a process");
    at += static_cast<size_t>(got);
  }
  return bytes;
}

// As the process was started.
std::vector<std::string> Arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

std::vector<std::string> Environment(const std::string& state) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.push_back(*variable);
  variables.push_back(StrCat(kVariable, "=", state));
  return variables;
}

// The list that exec functions take; of pointers into `strings`.
std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Of all descriptors from 3 on, only these outlive this program.
absl::Status KeepOnly(const std::vector<int>& kept) {
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
    // A kernel before 5.11.
    const long limit = sysconf(_SC_OPEN_MAX);  // NOLINT(google-runtime-int): the system's type
    for (int fd = 3; fd < limit; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  for (const int fd : kept) {
    if (fcntl(fd, F_SETFD, 0) != 0) return absl::ErrnoToStatus(errno, "cannot keep a descriptor");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<ProcessState>> TakeProcessState() {
  const char* variable = std::getenv(kVariable);
  if (variable == nullptr) return std::nullopt;
  char* end = nullptr;
  const int fd = static_cast<int>(std::strtol(variable, &end, 10));
  const bool is_ours = *end == ':' && std::strtol(end + 1, nullptr, 10) == getpid();
  unsetenv(kVariable);
  if (!is_ours) return absl::InvalidArgumentError(StrCat(kVariable, " is of another process"));
  const FileDescriptor memory(fd);
  NEREID_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(memory.get()));
  NEREID_ASSIGN_OR_RETURN(ProcessState state, ParseProcessState(bytes));
  for (const std::vector<int>* sockets :
       {&state.sockets.http, &state.sockets.grpc, &state.sockets.metrics}) {
    for (const int fd : *sockets) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  // It would be called after the path it was found by.
  prctl(PR_SET_NAME, program_invocation_short_name);
  return state;
}

absl::Status ReplaceProcess(const ProcessState& state) {
  const int memory = memfd_create("nereid-process-state", MFD_CLOEXEC);
  if (memory < 0 || !WriteAll(memory, SerializeProcessState(state))) {
    return absl::ErrnoToStatus(errno, "cannot keep the state of the process");
  }
  std::vector<std::string> arguments = Arguments();
  std::vector<std::string> environment = Environment(StrCat(memory, ":", getpid()));
  if (arguments.empty()) return absl::UnavailableError("cannot read /proc/self/cmdline");
  std::vector<int> kept = {memory};
  for (const std::vector<int>* sockets :
       {&state.sockets.http, &state.sockets.grpc, &state.sockets.metrics}) {
    kept.insert(kept.end(), sockets->begin(), sockets->end());
  }
  NEREID_RETURN_IF_ERROR(KeepOnly(kept));
  std::signal(SIGPIPE, SIG_DFL);  // handlers go by themselves, what is ignored stays ignored
  std::fflush(nullptr);
  execve(kProgram, Pointers(arguments).data(), Pointers(environment).data());
  return absl::ErrnoToStatus(errno, StrCat("cannot execute ", kProgram));
}

}  // namespace nereid
