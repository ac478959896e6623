#pragma once

#include <unistd.h>

#include <string_view>

namespace nereid {

// Owns what open() returned, also when that is an error (negative): closed when this goes.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }

 private:
  const int fd_;
};

// False, and errno says why, when not all of it could be written.
bool WriteAll(int fd, std::string_view bytes);

}  // namespace nereid
