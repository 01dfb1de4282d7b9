// The supervisor: as little as can keep exit statuses alive. It parses nothing that comes from outside.
#include <baton/worker/clock.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/journal.hpp>
#include <baton/worker/outcome.hpp>
#include <baton/worker/process_table.hpp>
#include <baton/worker/programs.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "handover.hpp"
#include "process_setup.hpp"
#include "supervisor_log.hpp"

namespace baton::worker {
namespace {

constexpr std::size_t kConnections = 16;  // one is used; others are about to be replaced or to replace it
constexpr int kRetryMilliseconds = 100;

// An attach program. It waits for its session's end.
struct Connection {
  Descriptor socket;
  pid_t session = 0;  // 0: it has not handed over its streams yet
};

class Supervisor {
 public:
  Supervisor(const SupervisorOptions& options, Folder folder) : options_(options), folder_(std::move(folder)) {}
  int run(int ready_fd);

 private:
  bool prepare();
  void turn(const std::vector<pollfd>& polled);
  void accept_connections();
  void start_session(Connection& connection);
  [[noreturn]] static void become_session(const std::array<Descriptor, kHandedOver>& streams, int notify_fd,
                                          const std::string& folder);
  void end_session(pid_t pid);
  void drop(Connection& connection);
  void reap();
  void reap_sessions();
  int record_exit(const siginfo_t& info, const rusage& usage);
  void give_up_folder();
  [[nodiscard]] bool idle() const { return !has_children_ && connections_.empty(); }

  SupervisorOptions options_;
  Folder folder_;
  Descriptor lock_, listener_, signals_;
  Descriptor notify_;  // the current session reads the other end
  std::vector<Connection> connections_;
  bool has_children_ = false;
  bool must_try_again_ = false;  // a child has ended and that could not be recorded yet
  bool folder_gone_ = false;     // nobody can ask for a record any more; this one stays until its children have ended
};

bool Supervisor::prepare() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  signals_.reset(watch_children());
  if (!signals_ || ::chdir(folder_.path.c_str()) != 0) return false;
  lock_.reset(::open("supervisor.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_ || ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    // Another one serves this folder. What children this process has (it was a session before) it still sees to.
    lock_.reset();
    return true;
  }
  auto listener = listen_here();
  if (listener) {
    listener_ = std::move(*listener);
    return true;
  }
  say(listener.error().message);
  lock_.reset();  // so does another one serve it, and this one ends with its children
  siginfo_t info;
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int Supervisor::run(int ready_fd) {
  if (!prepare()) return 1;
  if (ready_fd >= 0 && listener_) [[maybe_unused]]
    const ssize_t written = ::write(ready_fd, "R", 1);
  if (ready_fd >= 0) ::close(ready_fd);
  const auto idle_ns = static_cast<std::uint64_t>(options_.idle_exit.count()) * 1'000'000u;
  std::uint64_t idle_since = boot_ns();
  for (;;) {
    reap();
    const std::uint64_t now = boot_ns();
    if (!idle()) {
      idle_since = now;
    } else if (!listener_ || folder_gone_) {
      return 0;
    } else if (now - idle_since >= idle_ns) {
      ::unlink(kSupervisorSocket);
      remove_idle_cgroups(folder_.fd.get());
      return 0;
    }
    std::vector<pollfd> polled = {{signals_.get(), POLLIN, 0}, {listener_ ? listener_.get() : -1, POLLIN, 0}};
    for (const Connection& connection : connections_) polled.push_back({connection.socket.get(), POLLIN, 0});
    int timeout = -1;
    if (must_try_again_) {
      timeout = kRetryMilliseconds;
    } else if (idle()) {
      const std::uint64_t left_ms = (idle_ns - (now - idle_since)) / 1'000'000u + 1;
      timeout = static_cast<int>(std::min<std::uint64_t>(left_ms, std::numeric_limits<int>::max()));
    }
    if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR) return 1;
    turn(polled);
  }
}

void Supervisor::turn(const std::vector<pollfd>& polled) {
  signalfd_siginfo signal;
  while (::read(signals_.get(), &signal, sizeof signal) > 0) {
  }
  for (std::size_t i = 2; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    Connection& connection = connections_[i - 2];
    if (connection.session == 0) {
      start_session(connection);
    } else {
      drop(connection);  // attach says nothing more, so it is gone
    }
  }
  std::erase_if(connections_, [](const Connection& connection) { return !connection.socket; });
  if ((polled[1].revents & POLLIN) != 0) accept_connections();
}

void Supervisor::accept_connections() {
  for (;;) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool known = ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    if (!known || peer.uid != ::geteuid() || connections_.size() >= kConnections) continue;
    if (::send(socket.get(), &kSupervisorServes, 1, MSG_NOSIGNAL) != 1) continue;
    connections_.push_back({std::move(socket), 0});
  }
}

void Supervisor::drop(Connection& connection) {
  // Its tasks come to this process; that is what it is for.
  if (connection.session > 0) ::kill(connection.session, SIGKILL);
  connection.socket.reset();
}

void Supervisor::start_session(Connection& connection) {
  auto streams = receive_descriptors(connection.socket.get());
  int ends[2];
  // Another folder may be in the place of this one by now, with a supervisor of its own.
  const std::string folder = current_path(folder_);
  if (!streams || folder.empty() || ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return connection.socket.reset();
  const Descriptor read_end(ends[0]);
  for (Connection& other : connections_) {
    if (other.session > 0) ::kill(other.session, SIGKILL);
  }
  notify_.reset(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) become_session(*streams, read_end.get(), folder);
  if (pid < 0) return connection.socket.reset();
  connection.session = pid;
  has_children_ = true;
  [[maybe_unused]] const ssize_t sent = ::send(connection.socket.get(), &kSessionRuns, 1, MSG_NOSIGNAL);
}

void Supervisor::become_session(const std::array<Descriptor, kHandedOver>& streams, int notify_fd,
                                const std::string& folder) {
  // Above the places they are copied to, all of them are CLOEXEC.
  ::dup2(streams[0].get(), 0);
  ::dup2(streams[1].get(), 1);
  const int notify = ::fcntl(notify_fd, F_DUPFD, 3);
  const std::string notify_text = std::to_string(notify);
  const char* const argv[] = {"baton-worker", "session",           "--dir", folder.c_str(),
                              "--notify-fd",  notify_text.c_str(), nullptr};
  reset_signals();
  ::execveat(streams[2].get(), "", const_cast<char* const*>(argv), ::environ, AT_EMPTY_PATH);
  std::perror("baton-worker: cannot start a session");
  ::_exit(1);
}

void Supervisor::reap() {
  must_try_again_ = false;
  reap_sessions();
  bool recorded = false;
  for (;;) {
    siginfo_t info;
    info.si_pid = 0;
    rusage usage;
    // Looked at first and reaped after its record is written: in between it cannot get lost, and whoever does not find
    // the process finds the record.
    if (::syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, &usage) != 0) {
      has_children_ = errno != ECHILD;
      break;
    }
    has_children_ = true;
    if (info.si_pid == 0) break;
    const auto is_it = [&](const Connection& connection) { return connection.session == info.si_pid; };
    if (std::any_of(connections_.begin(), connections_.end(), is_it)) {
      reap_sessions();
      continue;
    }
    const int error = record_exit(info, usage);
    if (error == ENOENT) {
      give_up_folder();
    } else if (error != 0) {
      must_try_again_ = true;
      break;
    }
    recorded = recorded || error == 0;
    siginfo_t ignored;
    ::waitid(P_PID, static_cast<id_t>(info.si_pid), &ignored, WEXITED | WNOHANG);
  }
  if (recorded && notify_) [[maybe_unused]]
    const ssize_t poked = ::write(notify_.get(), "J", 1);
}

// Asked for by their pids: a task's end that cannot be recorded must not hide a session's, which needs no record.
void Supervisor::reap_sessions() {
  for (Connection& connection : connections_) {
    if (connection.session <= 0) continue;
    siginfo_t info;
    info.si_pid = 0;
    if (::waitid(P_PID, static_cast<id_t>(connection.session), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
      continue;
    }
    [[maybe_unused]] const ssize_t sent = ::send(connection.socket.get(), &kSessionEnded, 1, MSG_NOSIGNAL);
    connection.socket.reset();
  }
  std::erase_if(connections_, [](const Connection& connection) { return !connection.socket; });
}

// Where a file is made if need be, ENOENT means that its folder was removed.
void Supervisor::give_up_folder() {
  if (!std::exchange(folder_gone_, true)) {
    say(folder_.path + " was removed: how its tasks end is not recorded any more");
  }
}

// An errno: not now, be it that the session compacts the journal or that the disk is full.
int Supervisor::record_exit(const siginfo_t& info, const rusage& usage) {
  const auto micro = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000u + static_cast<std::uint64_t>(time.tv_usec);
  };
  Record record(RecordKind::exited);
  record.pid = static_cast<std::uint32_t>(info.si_pid);
  record.time_us = wall_time().time_since_epoch().count();
  if (const auto process = read_process(info.si_pid)) record.end.start_ns = process->start_ns;
  record.end.status = wait_status(info.si_code, info.si_status);
  record.end.user_us = micro(usage.ru_utime);
  record.end.system_us = micro(usage.ru_stime);
  record.end.max_rss_bytes = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024u;
  return append_to_journal(folder_.fd.get(), record);
}

}  // namespace

int supervise(const SupervisorOptions& options, int ready_fd) {
  keep_only_standard_streams(ready_fd);
  reset_signals();
  auto folder = open_folder(options.folder);
  if (!folder) {
    say(folder.error().message);
    return 1;
  }
  return Supervisor(options, std::move(*folder)).run(ready_fd);
}

}  // namespace baton::worker
