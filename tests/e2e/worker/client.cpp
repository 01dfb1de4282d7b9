#include "client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace baton::test {
namespace {

namespace fs = std::filesystem;
constexpr int kPatienceMs = 60'000;

void wait_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  if (::poll(&polled, 1, kPatienceMs) != 1) FAIL("nothing happened for a minute");
}

std::optional<pid_t> find(const std::string& folder, const std::string& role) {
  for (const pid_t pid : processes_of(folder)) {
    const std::string arguments = read_file("/proc/" + std::to_string(pid) + "/cmdline");
    if (arguments.find(std::string("baton-worker\0", 13) + role) != std::string::npos) return pid;
  }
  return std::nullopt;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<pid_t> processes_of(const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    if (pid == ::getpid()) continue;
    const std::string all = read_file(entry.path() / "environ") + read_file(entry.path() / "cmdline");
    if (all.find(text) != std::string::npos) found.push_back(pid);
  }
  return found;
}

Host::Host(std::string name) {
  std::string pattern = fs::temp_directory_path() / "baton-worker-XXXXXX";
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  root_ = pattern;
  folder_ = root_ + "/" + name;
}

Host::~Host() {
  for (;;) {
    const std::vector<pid_t> left = processes_of(root_);
    if (left.empty()) break;
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    for (const pid_t pid : left) {
      ::waitpid(pid, nullptr, WNOHANG);
      wait_for_process_end(pid);
    }
  }
  std::error_code ignored;
  std::istringstream places(read_file(folder_ + "/cgroups"));
  for (std::string path, folder; std::getline(places, path, '\t') && std::getline(places, folder);) {
    for (const auto& entry : fs::directory_iterator(folder, ignored)) ::rmdir(entry.path().c_str());
    ::rmdir(folder.c_str());
  }
  fs::remove_all(root_, ignored);
}

std::optional<pid_t> Host::supervisor() const { return find(folder_, "supervise"); }
std::optional<pid_t> Host::session() const { return find(folder_, "session"); }

Link::Link(const Host& host) : error_file_(host.root() + "/attach-errors") {
  int to[2], from[2];
  REQUIRE(::pipe2(to, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(from, O_CLOEXEC) == 0);
  const int errors = ::open(error_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string idle = std::to_string(host.idle_exit_ms);
  attach_ = ::fork();
  if (attach_ == 0) {
    ::dup2(to[0], 0);
    ::dup2(from[1], 1);
    ::dup2(errors, 2);
    for (const auto& [name, value] : host.environment) ::setenv(name.c_str(), value.c_str(), 1);
    ::execl(BATON_WORKER_PROGRAM, "baton-worker", "attach", "--dir", host.folder().c_str(), "--idle-exit-ms",
            idle.c_str(), nullptr);
    ::_exit(126);
  }
  ::close(to[0]);
  ::close(from[1]);
  ::close(errors);
  in_ = to[1];
  out_ = from[0];
}

Link::~Link() {
  close_input();
  ::close(out_);
  if (attach_ > 0) {
    ::kill(attach_, SIGKILL);
    ::waitpid(attach_, nullptr, 0);
  }
}

void Link::close_input() {
  if (in_ >= 0) ::close(std::exchange(in_, -1));
}

bool Link::try_send(const ToWorker& message) {
  std::string bytes;
  REQUIRE(append_frame(bytes, message));
  ::signal(SIGPIPE, SIG_IGN);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = ::write(in_, bytes.data() + at, bytes.size() - at);
    if (wrote <= 0) return false;
    at += static_cast<std::size_t>(wrote);
  }
  return true;
}

void Link::send(const ToWorker& message) { REQUIRE(try_send(message)); }

std::optional<ToDaemon> Link::try_receive() {
  if (waiting_.empty() && !receive()) return std::nullopt;
  ToDaemon message = std::move(waiting_.front());
  waiting_.pop_front();
  return message;
}

void Link::send_at_once(const std::vector<ToWorker>& messages) {
  std::string bytes;
  for (const ToWorker& message : messages) REQUIRE(append_frame(bytes, message));
  REQUIRE(::write(in_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

bool Link::receive() {
  for (;;) {
    auto message = reader_.next();
    REQUIRE(message.has_value());
    if (*message) {
      waiting_.push_back(std::move(**message));
      return true;
    }
    wait_readable(out_);
    char bytes[65536];
    const ssize_t got = ::read(out_, bytes, sizeof bytes);
    if (got <= 0) return false;
    reader_.feed({bytes, static_cast<std::size_t>(got)});
  }
}

Welcome Link::greet(std::uint64_t incarnation, std::int64_t cpus) {
  Hello hello;
  hello.daemon_id = "daemon-1";
  hello.incarnation = incarnation;
  hello.capacity.cpu_milli = cpus * 1000;
  send(hello);
  return wait<Welcome>();
}

Started Link::started(std::uint64_t attempt) {
  return wait<Started>([&](const Started& started) { return started.attempt == AttemptId(attempt); });
}

Outcome Link::exited(std::uint64_t attempt) {
  return wait<Exited>([&](const Exited& exited) { return exited.attempt == AttemptId(attempt); }).outcome;
}

std::string Link::log(const LogExtent& extent, bool from_end, std::uint32_t max_bytes) {
  send(ReadLog{.request = 77, .extent = extent, .max_bytes = max_bytes, .from_end = from_end});
  const LogData data = wait<LogData>();
  CHECK(data.error.empty());
  return data.bytes;
}

void Link::wait_for_end() {
  while (receive()) {
  }
}

bool Link::has(const std::function<bool(const ToDaemon&)>& fits) const {
  return std::any_of(waiting_.begin(), waiting_.end(), fits);
}

int Link::exit_code() {
  int status = 0;
  REQUIRE(::waitpid(attach_, &status, 0) == attach_);
  attach_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Link::errors() const { return read_file(error_file_); }

Launch command(std::uint64_t attempt, std::vector<std::string> argv) {
  Launch launch;
  launch.attempt = AttemptId(attempt);
  launch.label = "run/task/1";
  launch.argv = std::move(argv);
  launch.needs.cpu_milli = 1000;
  launch.grace = std::chrono::seconds(10);
  return launch;
}

Launch script(std::uint64_t attempt, std::string text) {
  Launch launch = command(attempt, {"sh", "-e"});
  launch.script = std::move(text);
  return launch;
}

Kill kill_of(std::uint64_t attempt) { return {.attempt = AttemptId(attempt), .cause = ExitCause::cancelled}; }

bool process_exists(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = stat.rfind(") ");
  return end != std::string::npos && stat[end + 2] != 'Z' && stat[end + 2] != 'X';
}

pid_t parent_of(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = stat.rfind(") ");
  return end == std::string::npos ? 0 : static_cast<pid_t>(std::atoi(stat.c_str() + end + 4));
}

void wait_for_process_end(pid_t pid) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) return;
  wait_readable(fd);
  ::close(fd);
}

std::string wait_for_file(const std::string& path, const std::function<bool(const std::string&)>& fits) {
  const int watch = ::inotify_init1(IN_CLOEXEC);
  REQUIRE(watch >= 0);
  const std::string folder = fs::path(path).parent_path();
  REQUIRE(::inotify_add_watch(watch, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE) >= 0);
  for (;;) {
    std::string text = read_file(path);
    if (fits(text)) {
      ::close(watch);
      return text;
    }
    wait_readable(watch);
    char events[4096];
    [[maybe_unused]] const ssize_t got = ::read(watch, events, sizeof events);
  }
}

}  // namespace baton::test
