// Kills at every point: strace ends whatever process of the worker makes the k-th call of a kind, supervisor, session,
// child before its exec, and task alike. Takes minutes and needs strace: run it with `e2e_worker "[.sweep]"`.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <sstream>

#include "client.hpp"

namespace baton::test {
namespace {

constexpr std::uint64_t kAttempts = 4;

// Traces the supervisor and all it starts from now on.
class Injector {
 public:
  Injector(const Host& host, pid_t supervisor, const std::string& call, int when) {
    const std::string inject = "inject=" + call + ":signal=SIGKILL:when=" + std::to_string(when);
    const std::string trace = "trace=" + call;
    const std::string target = std::to_string(supervisor);
    const std::string notes = host.root() + "/strace-notes";
    const int errors = ::open(notes.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(errors, 2);
      ::execlp("strace", "strace", "-f", "-o", "/dev/null", "-e", trace.c_str(), "-e", inject.c_str(), "-p",
               target.c_str(), nullptr);
      ::_exit(126);
    }
    ::close(errors);
    wait_for_file(notes, [](const std::string& text) { return text.find("attached") != std::string::npos; });
  }
  ~Injector() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Injector(const Injector&) = delete;

 private:
  pid_t pid_;
};

// Connects again and again, as the daemon does, until every attempt has ended. Every process makes its k-th call, so
// that the injector may have to go before anything can get done.
void run_to_the_end(const Host& host, const std::string& trace, std::unique_ptr<Injector> injector) {
  std::set<std::uint64_t> done;
  const auto note = [&](AttemptId attempt, const Outcome& outcome) {
    // The task itself may be what is killed; but nothing is made up.
    const bool possible = (outcome.cause == ExitCause::exited && outcome.detail == static_cast<int>(attempt.value())) ||
                          outcome.cause == ExitCause::signalled || outcome.cause == ExitCause::worker_lost ||
                          (outcome.cause == ExitCause::exited && outcome.detail > 100);
    CHECK(possible);
    done.insert(attempt.value());
  };
  for (std::uint64_t round = 2; done.size() < kAttempts; ++round) {
    REQUIRE(round < 50);
    if (round == 8) injector.reset();
    Link link(host);
    Hello hello;
    hello.daemon_id = "daemon-1";
    hello.incarnation = round;
    hello.capacity.cpu_milli = 2000;
    if (!link.try_send(hello)) continue;
    bool open = true;
    for (std::uint64_t attempt = 1; attempt <= kAttempts && open; ++attempt) {
      if (done.contains(attempt)) continue;
      open = link.try_send(script(attempt, "echo " + std::to_string(attempt) + " >> " + trace + " || exit 101\n" +
                                               "/bin/true || exit 102\nexit " + std::to_string(attempt)));
    }
    while (done.size() < kAttempts) {
      const auto message = link.try_receive();
      if (!message) break;
      if (const auto* exited = std::get_if<Exited>(&*message)) note(exited->attempt, exited->outcome);
      if (const auto* welcome = std::get_if<Welcome>(&*message)) {
        for (const InventoryEntry& entry : welcome->inventory) {
          if (entry.phase == AttemptPhase::exited) note(entry.attempt, entry.outcome);
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("killed at any call, every attempt starts at most once and ends", "[.sweep]") {
  for (const std::string call :
       {"write", "waitid",   "clone",  "fork,vfork,clone3", "openat",     "dup2",    "setsid", "execve",     "execveat",
        "flock", "renameat", "sendto", "recvmsg",           "epoll_wait", "pread64", "fsync",  "newfstatat", "chdir",
        "close", "poll",     "ppoll"}) {
    for (int when = 1; when <= 12; ++when) {
      INFO(call << ", call " << when);
      Host host;
      const std::string trace = host.root() + "/trace";
      {
        Link link(host);
        link.greet(1);
      }
      run_to_the_end(host, trace, std::make_unique<Injector>(host, *host.supervisor(), call, when));
      std::istringstream lines(read_file(trace));
      std::set<std::string> seen;
      for (std::string line; std::getline(lines, line);) CHECK(seen.insert(line).second);
    }
  }
}

}  // namespace baton::test
