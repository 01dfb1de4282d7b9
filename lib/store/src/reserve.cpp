#include "reserve.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace baton::store {
namespace {

class File {
 public:
  File(const std::string& path, int flags) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] std::uint64_t size() const {
    struct stat info{};
    return ::fstat(fd_, &info) == 0 && S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : 0;
  }

 private:
  int fd_;
};

}  // namespace

bool Reserve::take() const {
  const File file(path_, O_CREAT);
  if (!file.is_open()) return errno != ENOSPC && errno != EDQUOT;
  // In steps: a disk with less room than all of it gives what it has.
  constexpr std::uint64_t kStep = kForStarts;
  for (std::uint64_t size = file.size(); size < kBytes; size += kStep) {
    if (::fallocate(file.fd(), 0, static_cast<off_t>(size), static_cast<off_t>(kStep)) != 0) {
      return errno != ENOSPC && errno != EDQUOT;
    }
  }
  return true;
}

bool Reserve::give_back(std::uint64_t keep) const {
  const File file(path_, 0);
  return file.is_open() && file.size() > keep && ::ftruncate(file.fd(), static_cast<off_t>(keep)) == 0;
}

}  // namespace baton::store
