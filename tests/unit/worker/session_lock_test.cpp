#include "session_lock.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "temp_folder.hpp"

namespace baton::worker {

using namespace std::chrono_literals;

namespace {

int end_of(pid_t child) {
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

std::chrono::milliseconds cpu_used() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return std::chrono::milliseconds((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                                   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

ProcessStat process_in(char state, std::uint64_t cpu_ns = 0) {
  ProcessStat process;
  process.pid = 7;
  process.state = state;
  process.cpu_ns = cpu_ns;
  return process;
}

}  // namespace

TEST_CASE("a session that is stopped and does not leave is killed for the next one") {
  TempFolder temp;
  const pid_t stopped = ::fork();
  if (stopped == 0) {
    const auto lock = lock_session(temp.fd());
    if (lock) ::raise(SIGSTOP);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(stopped, &status, WUNTRACED) == stopped);
  REQUIRE(WIFSTOPPED(status));
  const auto lock = lock_session(temp.fd(), 1ms);
  CHECK(lock.has_value());
  status = end_of(stopped);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}

TEST_CASE("a session that is busy is waited for") {
  TempFolder temp;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t busy = ::fork();
  if (busy == 0) {
    const auto lock = lock_session(temp.fd());
    const auto until = cpu_used() + 300ms;
    if (!lock || ::write(ends[1], "x", 1) != 1) ::_exit(1);
    while (cpu_used() < until) {
    }
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ends[0], &byte, 1) == 1);
  CHECK(lock_session(temp.fd(), 1ms));
  const int status = end_of(busy);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  for (const int end : ends) ::close(end);
}

TEST_CASE("a session does not kill its supervisor, which was a session before") {
  TempFolder temp;
  const pid_t parent = ::fork();
  if (parent == 0) {
    const auto lock = lock_session(temp.fd());
    const pid_t waiting = ::fork();
    if (waiting == 0) {
      ::alarm(1);  // waits longer than the patience, and then gives up
      (void)lock_session(temp.fd(), 1ms);
      ::_exit(0);
    }
    int status = 0;
    const bool gave_up = ::waitpid(waiting, &status, 0) == waiting && WIFSIGNALED(status);
    ::_exit(gave_up ? 0 : 1);
  }
  const int status = end_of(parent);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

TEST_CASE("only what is stopped, or asleep without using the CPU, stands still") {
  Standstill standstill;
  const auto after = [&](const ProcessStat& process) { return standstill.seen(process, 10ms); };
  CHECK(after(process_in('S')) == 0ms);
  CHECK(after(process_in('S')) == 10ms);
  CHECK(after(process_in('T')) == 20ms);
  CHECK(after(process_in('S', 1)) == 0ms);  // it has worked meanwhile
  CHECK(after(process_in('t', 1)) == 10ms);
  for (const char working : {'D', 'R', 'Z'}) {
    CHECK(after(process_in(working, 1)) == 0ms);
    CHECK(after(process_in('S', 1)) == 10ms);
  }
  ProcessStat other = process_in('S', 1);
  other.start_ns = 1;
  CHECK(after(other) == 0ms);
  CHECK(after(other) == 10ms);
}

TEST_CASE("a process has used as much of the CPU as it says") {
  while (cpu_used() < 50ms) {
  }
  const auto before = cpu_used();
  const auto self = read_process(::getpid());
  REQUIRE(self);
  CHECK(std::chrono::nanoseconds(self->cpu_ns) + 30ms >= before);
  CHECK(std::chrono::nanoseconds(self->cpu_ns) <= cpu_used() + 30ms);
}

}  // namespace baton::worker
