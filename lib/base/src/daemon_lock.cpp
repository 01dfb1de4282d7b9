#include <baton/base/daemon_lock.hpp>
#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

namespace baton {

std::string daemon_lock_path(const std::string& state_dir) { return state_dir + "/batond.lock"; }

std::string lock_note_text(const LockNote& note) { return fmt::format("{}\n{}\n", note.pid, note.socket); }

LockNote parse_lock_note(std::string_view text) {
  LockNote note;
  const std::size_t line = text.find('\n');
  const std::string_view number = text.substr(0, line);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), note.pid);
  if (error != std::errc() || end != number.data() + number.size() || note.pid < 0) note.pid = 0;
  if (line == std::string_view::npos) return note;
  const std::string_view rest = text.substr(line + 1);
  const std::size_t second = rest.find('\n');
  // Without its newline it was cut off by a full disk.
  if (rest.starts_with('/') && second != std::string_view::npos) note.socket = rest.substr(0, second);
  return note;
}

LockNote read_lock_note(int lock_fd) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(lock_fd, text.data(), text.size(), 0);
  return parse_lock_note({text.data(), static_cast<std::size_t>(size > 0 ? size : 0)});
}

Result<std::optional<LockNote>> find_lock_holder(const std::string& state_dir) {
  const std::string path = daemon_lock_path(state_dir);
  const Descriptor lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!lock && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!lock) return fail_errno(errno, path);
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;  // given back with the descriptor
  if (errno != EWOULDBLOCK) return fail_errno(errno, path);
  return read_lock_note(lock.get());
}

}  // namespace baton
