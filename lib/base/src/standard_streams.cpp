#include <baton/base/standard_streams.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

namespace baton {

void keep_standard_streams() {
  // Opened the other way round, so that it cannot be used. open() takes the lowest number that is free.
  constexpr std::array kModes{O_WRONLY, O_RDONLY, O_RDONLY};
  for (int fd = 0; fd < static_cast<int>(kModes.size()); ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", kModes[static_cast<std::size_t>(fd)]);
  }
}

namespace {

Result<> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno != EINTR) return fail_errno(errno, "cannot write the output");
    text.remove_prefix(wrote < 0 ? 0 : static_cast<std::size_t>(wrote));
  }
  return {};
}

}  // namespace

void tell(std::string_view line) {
  [[maybe_unused]] const Result<> told = write_all(STDERR_FILENO, std::string(line) + '\n');
}

Result<> write_output(std::string_view text) { return write_all(STDOUT_FILENO, text); }

}  // namespace baton
