#include "session_lock.hpp"

#include <baton/worker/process_table.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <limits>

#include "supervisor_log.hpp"

namespace baton::worker {
namespace {

constexpr std::chrono::milliseconds kLongestPause{50};

// Its process and when that began, so that nobody else who has its pid is taken for it.
struct Holder {
  pid_t pid = 0;  // 0: not known
  std::uint64_t start_ns = 0;
  bool operator==(const Holder&) const = default;
};

// What the file says is the last one that could write it: whoever holds the lock, or one that is gone.
Holder read_holder(int file) {
  char text[64] = {};
  unsigned long long pid = 0, start_ns = 0;
  if (::pread(file, text, sizeof text - 1, 0) <= 0 || std::sscanf(text, "%19llu %19llu", &pid, &start_ns) != 2)
    return {};
  if (pid == 0 || pid > std::numeric_limits<pid_t>::max()) return {};
  return {static_cast<pid_t>(pid), start_ns};
}

void write_holder(int file) {
  const auto self = read_process(::getpid());
  const std::string text = self ? fmt::format("{:>10} {:>20}\n", self->pid, self->start_ns) : std::string();
  const ssize_t size = static_cast<ssize_t>(text.size());
  if (size > 0 && ::pwrite(file, text.data(), text.size(), 0) == size) return;
  [[maybe_unused]] const int emptied = ::ftruncate(file, 0);  // rather nobody than somebody of before
}

}  // namespace

Result<Descriptor> lock_session(int folder, std::chrono::milliseconds patience) {
  Descriptor lock(::openat(folder, "session.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno(errno, "session.lock");
  Holder holder;
  std::chrono::milliseconds waited{0}, pause{1};
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(errno, "session.lock");
    if (const Holder now = read_holder(lock.get()); now != holder) {
      holder = now;
      waited = {};
    }
    if (waited >= patience && holder.pid > 0) {
      if (signal_process(holder.pid, holder.start_ns, SIGKILL)) {
        say(fmt::format("session {} did not leave and is killed", holder.pid));
      }
      waited = {};
    }
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
    waited += pause;
    pause = std::min(pause * 2, kLongestPause);
  }
  write_holder(lock.get());
  return lock;
}

}  // namespace baton::worker
