#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <memory>
#include <thread>

#include "client.hpp"

namespace baton::test {

TEST_CASE("the same launch twice runs once") {
  Host host;
  Link link(host);
  link.greet();
  const std::string trace = host.root() + "/trace";
  const Launch launch = script(1, "echo ran >> " + trace);
  link.send(launch);
  link.send(launch);
  CHECK(link.exited(1).detail == 0);
  link.send(launch);
  CHECK(link.exited(1).detail == 0);
  CHECK(read_file(trace) == "ran\n");
}

TEST_CASE("what is forgotten is not in the inventory any more") {
  Host host;
  {
    Link link(host);
    link.greet();
    for (std::uint64_t attempt = 1; attempt <= 30; ++attempt) link.send(command(attempt, {"/bin/true"}));
    Forget forget;
    for (std::uint64_t attempt = 1; attempt <= 30; ++attempt) {
      link.exited(attempt);
      if (attempt != 30) forget.attempts.emplace_back(attempt);
    }
    link.send(forget);
    link.send(ReadLog{});
    link.wait<LogData>();
  }
  Link link(host);
  const Welcome welcome = link.greet();
  REQUIRE(welcome.inventory.size() == 1);
  CHECK(welcome.inventory[0].attempt == AttemptId(30));
  CHECK(welcome.inventory[0].outcome.cause == ExitCause::exited);
}

TEST_CASE("a stale daemon and a stranger are refused") {
  Host host;
  {
    Link(host).greet(5);
  }
  const auto refusal = [&](const Hello& hello) {
    Link link(host);
    link.send(hello);
    const std::string reason = link.wait<Refused>().reason;
    link.wait_for_end();
    CHECK(link.exit_code() == 0);
    return reason;
  };
  Hello hello;
  hello.daemon_id = "daemon-1";
  hello.incarnation = 4;
  CHECK(refusal(hello).find("stale") != std::string::npos);
  hello.incarnation = 6;
  hello.daemon_id = "daemon-2";
  CHECK(refusal(hello).find("daemon-1") != std::string::npos);
  hello.daemon_id = "daemon-1";
  hello.protocol = kProtocolVersion + 1;
  CHECK(refusal(hello).find("protocol") != std::string::npos);
  Link(host).greet(5);
}

TEST_CASE("what is asked beyond the backlog is answered, also when the answers leave without waiting") {
  Host host;
  Link link(host);
  link.greet();
  link.send(script(1, "head -c 262144 /dev/zero"));
  const LogExtent log = link.exited(1).log;
  // Room for all answers. Only root may ask for as much; with less, some of them have to wait after all.
  ::fcntl(link.output(), F_SETPIPE_SZ, 16 << 20);
  constexpr std::uint64_t kQuestions = 40;
  std::vector<ToWorker> messages;
  for (std::uint64_t request = 1; request <= kQuestions; ++request) {
    messages.emplace_back(ReadLog{.request = request, .extent = log, .max_bytes = 262144, .from_end = false});
  }
  messages.emplace_back(command(2, {"/bin/true"}));
  link.send_at_once(messages);
  for (std::uint64_t request = 1; request <= kQuestions; ++request) {
    const LogData data = link.wait<LogData>();
    REQUIRE(data.request == request);
    REQUIRE(data.bytes.size() == 262144);
  }
  CHECK(link.exited(2).detail == 0);
}

TEST_CASE("a session's last words are not cut off") {
  Host host;
  Link link(host);
  link.greet();
  link.send(script(1, "head -c 262144 /dev/zero"));
  const LogExtent log = link.exited(1).log;
  std::vector<ToWorker> messages;
  for (std::uint64_t request = 1; request <= 8; ++request) {
    messages.emplace_back(ReadLog{.request = request, .extent = log, .max_bytes = 262144, .from_end = false});
  }
  messages.emplace_back(Hello{});
  link.send_at_once(messages);
  // The answers are more than the pipe holds. It is full before the first is read.
  const int capacity = ::fcntl(link.output(), F_GETPIPE_SZ);
  for (int waiting = 0; waiting < capacity && ::ioctl(link.output(), FIONREAD, &waiting) == 0;) {
    std::this_thread::yield();
  }
  CHECK(link.wait<Refused>().reason.find("Hello") != std::string::npos);
  for (std::uint64_t request = 1; request <= 8; ++request) CHECK(link.wait<LogData>().bytes.size() == 262144);
}

TEST_CASE("attach does not wait behind a hung supervisor for a daemon that has gone") {
  Host host;
  Link(host).greet();
  const pid_t supervisor = *host.supervisor();
  REQUIRE(::kill(supervisor, SIGSTOP) == 0);
  {
    Link late(host);
    late.close_input();
    CHECK(late.exit_code() == 1);
    CHECK(late.errors().find("the daemon went away") != std::string::npos);
  }
  REQUIRE(::kill(supervisor, SIGCONT) == 0);
  Link(host).greet();
}

TEST_CASE("a new link replaces the old one") {
  Host host;
  Link first(host);
  first.greet(1);
  first.send(script(1, "sleep 1000"));
  const Started started = first.started(1);
  Link second(host);
  const Welcome welcome = second.greet(1);
  first.wait_for_end();
  CHECK(first.exit_code() == 0);
  REQUIRE(welcome.inventory.size() == 1);
  CHECK(welcome.inventory[0].phase == AttemptPhase::running);
  CHECK(process_exists(static_cast<pid_t>(started.pid)));
}

TEST_CASE("garbage on the link ends the session, and the worker serves on") {
  Host host;
  {
    Link link(host);
    link.greet();
    link.send(script(1, "sleep 1000"));
    link.started(1);
    Hello again;
    again.daemon_id = "daemon-1";
    again.incarnation = 1;
    link.send(again);
    link.wait_for_end();
  }
  {
    Link link(host);
    link.send(command(2, {"/bin/true"}));  // before Hello
    link.wait_for_end();
  }
  Link link(host);
  const Welcome welcome = link.greet();
  REQUIRE(welcome.inventory.size() == 1);
  CHECK(welcome.inventory[0].attempt == AttemptId(1));
  CHECK(welcome.inventory[0].phase == AttemptPhase::running);
}

TEST_CASE("the supervisor leaves when nothing is left to do, and comes back when asked") {
  Host host;
  host.idle_exit_ms = 50;
  pid_t supervisor = 0;
  Started started;
  {
    Link link(host);
    link.greet();
    supervisor = *host.supervisor();
    link.send(script(1, "mkfifo " + host.root() + "/gate; read x < " + host.root() + "/gate; exit 6"));
    started = link.started(1);
    link.close_input();
    link.wait_for_end();
  }
  // A task still runs, so it stays; it leaves after the task's end.
  wait_for_file(host.root() + "/none",
                [&](const std::string&) { return ::access((host.root() + "/gate").c_str(), F_OK) == 0; });
  CHECK(process_exists(supervisor));
  {
    std::ofstream(host.root() + "/gate") << "x\n";
  }
  wait_for_process_end(supervisor);
  Link link(host);
  const Welcome welcome = link.greet();
  REQUIRE(welcome.inventory.size() == 1);
  CHECK(welcome.inventory[0].outcome.detail == 6);
  CHECK(*host.supervisor() != supervisor);
}

TEST_CASE("programs that attach at once agree on one supervisor") {
  Host host;
  std::vector<std::unique_ptr<Link>> links;
  for (int i = 0; i < 6; ++i) links.push_back(std::make_unique<Link>(host));
  // Every session ends the one before, whichever order they come in: all but the last attach program leave, content.
  std::vector<pollfd> ends;
  for (const auto& link : links) ends.push_back({link->output(), POLLIN, 0});
  for (std::size_t ended = 0; ended + 1 < links.size();) {
    REQUIRE(::poll(ends.data(), ends.size(), 60'000) > 0);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      CHECK(links[i]->exit_code() == 0);
      ends[i].fd = -1;
      ++ended;
    }
  }
  std::vector<pid_t> supervisors;
  for (const pid_t pid : processes_of(host.folder())) {
    const std::string arguments = read_file("/proc/" + std::to_string(pid) + "/cmdline");
    if (arguments.find("supervise") != std::string::npos) supervisors.push_back(pid);
  }
  // A session between fork and exec still has its parent's arguments.
  const std::vector<pid_t> all = supervisors;
  std::erase_if(supervisors, [&](pid_t pid) { return std::find(all.begin(), all.end(), parent_of(pid)) != all.end(); });
  CHECK(supervisors.size() == 1);
}

TEST_CASE("a folder path longer than a socket's name works") {
  Host host(std::string(150, 'd'));
  Link link(host);
  link.greet();
  link.send(command(1, {"/bin/true"}));
  CHECK(link.exited(1).detail == 0);
}

TEST_CASE("a folder that others can reach is refused with one line") {
  Host host;
  REQUIRE(::mkdir(host.folder().c_str(), 0700) == 0);
  REQUIRE(::chmod(host.folder().c_str(), 0755) == 0);
  Link link(host);
  link.wait_for_end();
  CHECK(link.exit_code() == 1);
  const std::string errors = link.errors();
  CHECK(errors.find("0700") != std::string::npos);
  CHECK(std::count(errors.begin(), errors.end(), '\n') == 1);
}

}  // namespace baton::test
