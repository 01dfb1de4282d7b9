// A folder for a target's files, in memory where that is possible; removed at exit.
#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "../target.hpp"

namespace baton::fuzz {

class TempFolder {
 public:
  TempFolder() {
    const bool memory = ::access("/dev/shm", W_OK | X_OK) == 0;
    path_ = std::string(memory ? "/dev/shm" : "/tmp") + "/baton-fuzz-XXXXXX";
    holds(::mkdtemp(path_.data()) != nullptr, "a folder can be made");
    fd_ = ::open(path_.c_str(), O_DIRECTORY | O_CLOEXEC);
  }
  ~TempFolder() {
    ::close(fd_);
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace baton::fuzz
