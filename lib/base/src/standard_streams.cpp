#include <baton/base/standard_streams.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace baton {

void keep_standard_streams() {
  // Opened the other way round, so that it cannot be used. open() takes the lowest number that is free.
  constexpr std::array kModes{O_WRONLY, O_RDONLY, O_RDONLY};
  for (int fd = 0; fd < static_cast<int>(kModes.size()); ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", kModes[static_cast<std::size_t>(fd)]);
  }
}

}  // namespace baton
