#include <baton/base/standard_streams.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/programs.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "handover.hpp"
#include "process_setup.hpp"

namespace baton::worker {
namespace {

// A supervisor may leave between our finding it and its hearing us, and one that was killed holds its lock, which keeps
// the next one from coming up, until the kernel has taken it apart. The pauses between the tries double.
constexpr int kTries = 7;
constexpr int kFirstPauseMs = 10;

// In the child of a child: becomes the supervisor, with nothing of this process' streams but stderr into its log.
[[noreturn]] void become_supervisor(const SupervisorOptions& options, int ready_fd, int program_fd) {
  ::setsid();
  const int null_fd = ::open("/dev/null", O_RDWR);
  const int log_fd = ::open("supervisor.log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (null_fd < 0 || log_fd < 0) ::_exit(1);
  ::dup2(null_fd, 0);
  ::dup2(log_fd, 1);
  ::dup2(log_fd, 2);
  const int ready = ::fcntl(ready_fd, F_DUPFD, 3);
  const std::string ready_text = std::to_string(ready);
  const std::string idle_text = std::to_string(options.idle_exit.count());
  const char* const argv[] = {"baton-worker",         "supervise",        "--dir",
                              options.folder.c_str(), "--idle-exit-ms",   idle_text.c_str(),
                              "--ready-fd",           ready_text.c_str(), nullptr};
  ::execveat(program_fd, "", const_cast<char* const*>(argv), ::environ, AT_EMPTY_PATH);
  ::_exit(1);
}

Result<void> start_supervisor(const SupervisorOptions& options, int program_fd) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const pid_t middle = ::fork();
  if (middle < 0) return fail_errno(errno, "fork");
  if (middle == 0) {
    if (::fork() == 0) become_supervisor(options, write_end.get(), program_fd);
    ::_exit(0);
  }
  write_end.reset();
  while (::waitpid(middle, nullptr, 0) < 0 && errno == EINTR) {
  }
  char byte = 0;
  ssize_t got = 0;
  while ((got = ::read(read_end.get(), &byte, 1)) < 0 && errno == EINTR) {
  }
  if (got == 1) return {};
  return fail(ErrorCode::unavailable, "no supervisor came up; {}/supervisor.log may say why", options.folder);
}

// One at a time for a folder, so that two programs do not both start a supervisor.
Result<Descriptor> connect_or_start(const SupervisorOptions& options, int program_fd) {
  const Descriptor lock(::open("start.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno(errno, "start.lock");
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno(errno, "start.lock");
  }
  if (auto connected = connect_here(); connected || connected.error().code == ErrorCode::limit) return connected;
  if (auto started = start_supervisor(options, program_fd); !started) return std::unexpected(started.error());
  auto connected = connect_here();
  if (!connected && connected.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::unavailable, "the supervisor left before it could be asked");  // it had been idle too long
  }
  return connected;
}

// Waits for this byte from the supervisor. unavailable: it is gone. io: whoever started this program is, as its stdin
// says as long as that is still open here; a supervisor that hangs would keep this program waiting for nobody.
Result<void> hear(int socket, char expected, bool has_stdin) {
  pollfd polled[2] = {{socket, POLLIN, 0}, {has_stdin ? STDIN_FILENO : -1, 0, 0}};
  for (;;) {
    if (::poll(polled, 2, -1) < 0 && errno != EINTR) return fail_errno(errno, "poll");
    if (polled[0].revents == 0 && (polled[1].revents & (POLLHUP | POLLERR)) != 0) {
      return fail(ErrorCode::io, "the daemon went away while the supervisor did not answer");
    }
    char byte = 0;
    const ssize_t got = ::read(socket, &byte, 1);
    if (got == 1 && byte == expected) return {};
    if (got >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fail(ErrorCode::unavailable, "the supervisor went away");
}

Result<void> attach_once(const SupervisorOptions& options, bool& handed_over) {
  const Descriptor program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  if (!program) return fail_errno(errno, "/proc/self/exe");
  auto supervisor = connect_or_start(options, program.get());
  if (!supervisor) return std::unexpected(supervisor.error());
  if (auto serves = hear(supervisor->get(), kSupervisorServes, true); !serves) return serves;
  handed_over = true;
  if (auto sent = send_descriptors(supervisor->get(), {0, 1, program.get()}); !sent) return sent;
  if (auto runs = hear(supervisor->get(), kSessionRuns, true); !runs) return runs;
  // From here on the streams are the session's alone, so that their ends are seen when it ends.
  ::close(0);
  ::close(1);
  return hear(supervisor->get(), kSessionEnded, false);
}

}  // namespace

int attach(const SupervisorOptions& options) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  Result<void> result;
  SupervisorOptions absolute = options;
  if (auto folder = open_folder(options.folder); !folder) {
    result = std::unexpected(folder.error());
  } else {
    absolute.folder = folder->path;
    if (::chdir(folder->path.c_str()) != 0) result = fail_errno(errno, folder->path);
  }
  bool handed_over = false;
  for (int tries = 0; result && tries < kTries && !handed_over; ++tries) {
    result = attach_once(absolute, handed_over);
    if (result) return 0;
    if (result.error().code != ErrorCode::unavailable || tries + 1 == kTries || handed_over) break;
    result = {};
    ::poll(nullptr, 0, kFirstPauseMs << tries);
  }
  tell("baton-worker: " + result.error().message);
  return 1;
}

}  // namespace baton::worker
