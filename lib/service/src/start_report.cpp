#include "start_report.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace baton::service {

StartReport::StartReport(int fd) : fd_(fd) {
  if (fd_ >= 0) ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
}

StartReport::~StartReport() {
  if (fd_ >= 0) ::close(fd_);
}

// As far as somebody still listens.
void StartReport::say(std::string_view line) {
  if (fd_ < 0) return;
  while (!line.empty()) {
    const ssize_t written = ::write(fd_, line.data(), line.size());
    if (written <= 0) break;
    line.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(std::exchange(fd_, -1));
}

}  // namespace baton::service
