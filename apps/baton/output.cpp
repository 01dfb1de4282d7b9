#include "output.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace baton::cli {
namespace {

constexpr std::size_t kBufferBytes = 64u << 10;

bool is_dumb_terminal() {
  const char* term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb" || *term == '\0';
}

}  // namespace

Output::Output(int fd, bool colour)
    : fd_(fd), terminal_(::isatty(fd) == 1), redraw_(terminal_ && !is_dumb_terminal()), colour_(colour && redraw_) {}

Output::~Output() { flush(); }

void Output::write(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (error_ != 0) return;
  buffer_ += bytes;
  if (buffer_.size() >= kBufferBytes) write_out();
}

void Output::flush() {
  const std::lock_guard lock(mutex_);
  write_out();
}

void Output::write_out() {
  std::string_view rest = buffer_;
  while (!rest.empty() && error_ == 0) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      error_ = errno;
    }
  }
  buffer_.clear();
}

Output::Size Output::size() const {
  winsize size{};
  if (!terminal_ || ::ioctl(fd_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

}  // namespace baton::cli
