#include "daemon_link.hpp"

#include <baton/base/daemon_lock.hpp>
#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

namespace baton::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr auto kReadyWithin = std::chrono::seconds(60);  // recovery of a large state takes a while
constexpr int kReadyFd = 3;                              // in the daemon
constexpr auto kSaidAfter = std::chrono::seconds(2);     // what is waited for for longer is told
// Between looks while another daemon has the state directory.
constexpr std::chrono::milliseconds kFirstPause(50);
constexpr std::chrono::milliseconds kLastPause(1'000);

Result<void> make_state_dir(const std::string& path) {
  std::error_code error;
  const fs::path parent = fs::path(path).parent_path();
  fs::create_directories(parent, error);
  if (!error && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) error.assign(errno, std::generic_category());
  if (error == std::errc::no_such_file_or_directory) {  // "not found" is said of runs
    return fail(ErrorCode::unavailable, "cannot create the state directory {}: {}", path, error.message());
  }
  if (error) return fail_errno(error.value(), fmt::format("cannot create the state directory {}", path));
  if (!fs::is_directory(path, error)) {
    return fail(ErrorCode::unavailable, "the state directory {} is not a directory", path);
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0) {
    return fail_errno(errno, fmt::format("cannot write to the state directory {}", path));
  }
  return {};
}

// What happens between fork and exec: async-signal-safe calls alone (signal-safety(7)).
[[noreturn]] void become_daemon(char* const* argv, int log_fd, int null_fd, int ready_fd) {
  const auto give_up = [](const char* what) {
    const char* reason = ::strerrordesc_np(errno);
    for (const char* part : {"error: ", what, ": ", reason == nullptr ? "unknown error" : reason, "\n"}) {
      if (::write(kReadyFd, part, std::strlen(part)) < 0) break;
    }
    ::_exit(127);
  };
  // The ready pipe goes to its number before anything else takes that; dup2 drops close-on-exec.
  if (ready_fd == kReadyFd) {
    ::fcntl(kReadyFd, F_SETFD, 0);
  } else {
    if (log_fd == kReadyFd) log_fd = ::dup(log_fd);
    if (null_fd == kReadyFd) null_fd = ::dup(null_fd);
    ::dup2(ready_fd, kReadyFd);
  }
  ::dup2(null_fd, STDIN_FILENO);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
  ::close_range(kReadyFd + 1, ~0u, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
  if (::chdir("/") != 0) give_up("cannot change to /");
  ::execv(argv[0], argv);
  give_up("cannot execute batond");
  ::_exit(127);
}

// daemon(7): fork, a new session, fork again, so that it has no terminal and is nobody's child but init's.
Result<void> spawn_detached(std::vector<std::string> arguments, int log_fd, int null_fd, int ready_fd) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "cannot start a process");
  if (child == 0) {
    ::setsid();
    const pid_t daemon = ::fork();
    if (daemon == 0) become_daemon(argv.data(), log_fd, null_fd, ready_fd);
    ::_exit(daemon < 0 ? 1 : 0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(ErrorCode::unavailable, "cannot start batond: no process could be made");
  return {};
}

// The first line on the pipe; empty if the other side went away without a word.
Result<std::string> read_ready_line(int fd) {
  std::string line;
  const auto deadline = steady_clock::now() + kReadyWithin;
  while (line.find('\n') == std::string::npos) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    pollfd waiting{fd, POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0)
      return fail(ErrorCode::unavailable, "batond did not become ready within {} s", kReadyWithin.count());
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    line.append(buffer, static_cast<std::size_t>(got));
  }
  return line.substr(0, line.find('\n'));
}

// Starts one batond; the line that it says when it is ready, or is not going to be.
Result<std::string> start_once(const std::string& program, const Locations& locations) {
  const std::string log_path = daemon_log_path(locations);
  const Descriptor log(::open(log_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log) return fail_errno(errno, log_path);
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int ends[2];
  if (!null || ::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot start batond");
  const Descriptor ready_read(ends[0]);
  Descriptor ready_write(ends[1]);

  std::vector<std::string> arguments{program,
                                     "--socket",
                                     locations.socket,
                                     "--state-dir",
                                     locations.state_dir,
                                     "--ready-fd",
                                     std::to_string(kReadyFd),
                                     "--log-file",
                                     log_path};
  if (locations.config_named) arguments.insert(arguments.end(), {"--config", locations.config});
  if (auto spawned = spawn_detached(std::move(arguments), log.get(), null.get(), ready_write.get()); !spawned) {
    return std::unexpected(spawned.error());
  }
  ready_write.reset();

  auto line = read_ready_line(ready_read.get());
  if (!line) return fail(line.error().code, "{}; see {}", line.error().message, log_path);
  constexpr std::string_view kError = "error: ";
  if (*line != "ready" && !line->starts_with(kError)) {
    return fail(ErrorCode::unavailable, "batond ended before it was ready; see {}", log_path);
  }
  return line->starts_with(kError) ? line->substr(kError.size()) : *line;
}

// Pauses between looks, longer and longer, up to a time after which there is nothing to hope for.
class Patience {
 public:
  explicit Patience(const Notice& notice) : notice_(notice) {}

  // false: it is at its end.
  bool wait(const std::string& why) {
    const auto waited = steady_clock::now() - begin_;
    if (waited >= kReadyWithin) return false;
    if (notice_ && !said_ && waited >= kSaidAfter) {
      notice_("waiting: " + why);
      said_ = true;
    }
    ::poll(nullptr, 0, static_cast<int>(pause_.count()));
    pause_ = std::min(2 * pause_, kLastPause);
    return true;
  }

 private:
  const Notice& notice_;
  steady_clock::time_point begin_ = steady_clock::now();
  std::chrono::milliseconds pause_ = kFirstPause;
  bool said_ = false;
};

// true: it is this command's turn to start a daemon, for as long as `turn` is held.
Result<bool> take_turn(const Locations& locations, Descriptor& turn) {
  const std::string path = locations.state_dir + "/start.lock";
  if (!turn) {
    if (auto made = make_state_dir(locations.state_dir); !made) return std::unexpected(made.error());
    turn.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!turn) return fail_errno(errno, path);
  }
  if (::flock(turn.get(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(errno, path);
  return false;
}

// `ready`, or that another batond has the state, which can be waited for: it may be about to listen, or to end.
Result<std::string> start_in_turn(const Locations& locations) {
  const auto program = find_batond();
  if (!program) return std::unexpected(program.error());
  auto said = start_once(*program, locations);
  if (!said || *said == "ready") return said;
  if (!said->starts_with("another batond")) return fail(ErrorCode::unavailable, "cannot start batond: {}", *said);
  const auto holder = find_lock_holder(locations.state_dir);
  if (holder && *holder && !(*holder)->socket.empty() && (*holder)->socket != locations.socket) {
    return fail(ErrorCode::unavailable, "batond (pid {}) serves {} and listens on {}, not on {}", (*holder)->pid,
                locations.state_dir, (*holder)->socket, locations.socket);
  }
  return said;
}

}  // namespace

Result<bool> someone_listens(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_argument, "the socket's path is too long: {}", socket);
  }
  socket.copy(address.sun_path, socket.size());
  struct stat info{};
  if (::lstat(socket.c_str(), &info) != 0) {
    if (errno == ENOENT) return false;
    if (errno == ENOTDIR) return fail(ErrorCode::unavailable, "{}: its folder is not a directory", socket);
    return fail_errno(errno, socket);
  }
  if (!S_ISSOCK(info.st_mode)) return fail(ErrorCode::unavailable, "{} is not a socket", socket);
  // It could be a trap, and a daemon serves its own user alone, not even root.
  if (info.st_uid != ::geteuid()) {
    return fail(ErrorCode::denied, "the socket {} belongs to another user (uid {})", socket, info.st_uid);
  }
  const Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "cannot make a socket");
  int result = 0;
  do result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno == ECONNREFUSED || errno == ENOENT) return false;
  if (errno == EACCES || errno == EPERM) return fail_errno(errno, fmt::format("cannot use the socket {}", socket));
  return fail(ErrorCode::unavailable, "cannot connect to {}: {}", socket, std::generic_category().message(errno));
}

Result<std::string> find_batond() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (!error) {
    const fs::path beside = self.parent_path() / "batond";
    if (::access(beside.c_str(), X_OK) == 0) return beside.string();
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    std::string candidate = fmt::format("{}/batond", folder);
    if (folder.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return fail(ErrorCode::unavailable, "no daemon answers, and the program batond is neither beside baton nor on PATH");
}

Error become_batond(const Locations& locations, std::vector<std::string> arguments) {
  Result<std::string> program = find_batond();
  if (!program) return program.error();
  arguments.insert(arguments.begin(), {*program, "--state-dir", locations.state_dir});
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  return fail_errno(errno, *program).error();
}

std::string daemon_log_path(const Locations& locations) { return locations.state_dir + "/batond.log"; }
std::string older_daemon_log_path(const Locations& locations) { return locations.state_dir + "/batond.1.log"; }

Result<FoundDaemon> find_daemon(const Locations& locations) {
  const auto listens = someone_listens(locations.socket);
  if (!listens) return std::unexpected(listens.error());
  if (*listens) return FoundDaemon{.socket = locations.socket};
  // Another user's state is none of ours to look at.
  const auto holder = find_lock_holder(locations.state_dir);
  if (!holder || !*holder) return FoundDaemon{};
  const std::string& socket = (*holder)->socket;
  if (!socket.empty() && socket != locations.socket) {
    if (locations.socket_named) return FoundDaemon{};
    const auto elsewhere = someone_listens(socket);
    if (elsewhere && *elsewhere) return FoundDaemon{.socket = socket};
  }
  return FoundDaemon{.socket = {}, .silent = (*holder)->pid};
}

Error does_not_listen(const Locations& locations, pid_t pid) {
  return {ErrorCode::unavailable,
          fmt::format("batond{} has the state {} and does not listen: it is starting or ending, or saves its database; "
                      "`baton daemon logs` may say which",
                      pid == 0 ? "" : fmt::format(" (pid {})", pid), locations.state_dir)};
}

Result<StartedDaemon> start_daemon(const Locations& locations, const Notice& notice) {
  Descriptor turn;
  for (Patience patience(notice);;) {
    auto found = find_daemon(locations);
    if (!found) return std::unexpected(found.error());
    if (!found->socket.empty()) return StartedDaemon{.socket = std::move(found->socket)};

    std::string why;
    if (found->silent) {
      why = does_not_listen(locations, *found->silent).message;
    } else if (const auto mine = take_turn(locations, turn); !mine) {
      return std::unexpected(mine.error());
    } else if (!*mine) {
      why = "another command is about to start the daemon";
    } else {
      auto said = start_in_turn(locations);
      if (!said) return std::unexpected(said.error());
      if (*said == "ready") return StartedDaemon{.socket = locations.socket, .by_this_call = true};
      why = std::move(*said);
    }
    if (!patience.wait(why)) {
      return fail(ErrorCode::unavailable, "{}; nothing answers on {}", why, locations.socket);
    }
  }
}

}  // namespace baton::cli
