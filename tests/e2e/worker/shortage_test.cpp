// More tasks than a session's user has descriptors for.
#include <sys/resource.h>

#include <csignal>

#include "client.hpp"

namespace baton::test {

TEST_CASE("a session takes the descriptors it may have, and its tasks and heirs have their user's limit") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = 64;
  constexpr std::uint64_t kTasks = 70;
  REQUIRE(before.rlim_max > 5 * kTasks);
  Host host;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  Link link(host);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  link.greet(1, kTasks + 1);
  for (std::uint64_t attempt = 1; attempt <= kTasks; ++attempt) link.send(command(attempt, {"sleep", "1000"}));
  for (std::uint64_t attempt = 1; attempt <= kTasks; ++attempt) link.started(attempt);
  link.send(script(kTasks + 1, "ulimit -Sn"));
  CHECK(link.log(link.exited(kTasks + 1).log) == "64\n");
  const pid_t session = *host.session();
  REQUIRE(::kill(*host.supervisor(), SIGKILL) == 0);
  link.wait_for_end();
  // It takes the supervisor's place, and is the parent of sessions.
  const std::string limits = read_file("/proc/" + std::to_string(session) + "/limits");
  const std::size_t line = limits.find("Max open files");
  REQUIRE(line != std::string::npos);
  CHECK(std::stoi(limits.substr(line + std::string("Max open files").size())) == 64);
}

}  // namespace baton::test
