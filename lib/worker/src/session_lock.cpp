#include "session_lock.hpp"

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

// Those that it cannot be are let live. A parent is a supervisor, also if it was a session before.
bool may_be_killed(const Holder& holder) { return holder.pid > 0 && holder.pid != ::getppid(); }

}  // namespace

std::chrono::milliseconds Standstill::seen(const ProcessStat& process, std::chrono::milliseconds since_last) {
  const bool same = process.pid == last_.pid && process.start_ns == last_.start_ns && process.cpu_ns == last_.cpu_ns;
  const bool asleep = process.state == 'S' || process.state == 'T' || process.state == 't';
  still_ = same && asleep ? still_ + since_last : std::chrono::milliseconds(0);
  last_ = process;
  return still_;
}

Result<Descriptor> lock_session(int folder, std::chrono::milliseconds patience) {
  Descriptor lock(::openat(folder, "session.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno(errno, "session.lock");
  Standstill standstill;
  std::chrono::milliseconds pause{0};
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(errno, "session.lock");
    const Holder holder = read_holder(lock.get());
    const auto process = may_be_killed(holder) ? read_process(holder.pid) : Result<ProcessStat>(ProcessStat());
    const auto still = standstill.seen(process.value_or(ProcessStat()), pause);
    if (still > patience && process->start_ns == holder.start_ns &&
        signal_process(holder.pid, holder.start_ns, SIGKILL)) {
      say(fmt::format("session {} did not leave and is killed", holder.pid));
      standstill = {};
    }
    pause = std::min(pause * 2 + std::chrono::milliseconds(1), kLongestPause);
    ::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
  write_holder(lock.get());
  return lock;
}

void disown_session(const Descriptor& lock) { [[maybe_unused]] const int emptied = ::ftruncate(lock.get(), 0); }

}  // namespace baton::worker
