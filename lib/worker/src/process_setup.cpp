#include "process_setup.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <optional>

namespace baton::worker {
namespace {

std::optional<rlimit> raised_from;  // nullopt: it is as it was

}  // namespace

void keep_only_standard_streams(int keep) {
  if (keep > 2) {
    ::fcntl(keep, F_SETFD, FD_CLOEXEC);
    if (keep > 3) ::syscall(SYS_close_range, 3u, static_cast<unsigned>(keep) - 1u, 0u);
    ::syscall(SYS_close_range, static_cast<unsigned>(keep) + 1u, ~0u, 0u);
  } else {
    ::syscall(SYS_close_range, 3u, ~0u, 0u);
  }
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

int watch_children() {
  sigset_t children, blocked;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  blocked = children;
  for (const int of_a_write : {SIGPIPE, SIGXFSZ}) ::sigaddset(&blocked, of_a_write);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  return ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (raised_from || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlimit before = limit;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) raised_from = before;
}

void restore_descriptor_limit() noexcept {
  if (raised_from) ::setrlimit(RLIMIT_NOFILE, &*raised_from);
}

}  // namespace baton::worker
