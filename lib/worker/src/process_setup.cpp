#include "process_setup.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

namespace baton::worker {

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

}  // namespace baton::worker
