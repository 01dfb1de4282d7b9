// Not a test but a measurement: run it with `e2e_worker "[.throughput]"` in a release build.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <sstream>

#include "client.hpp"

namespace baton::test {
namespace {

double cpu_seconds(pid_t pid) {
  const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(") ") + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && fields >> field; ++i) {
    if (i >= 14) ticks += std::stod(field);
  }
  return ticks / 100;
}

}  // namespace

TEST_CASE("10,000 times true", "[.throughput]") {
  constexpr std::uint64_t kTasks = 10'000;
  for (int round = 0; round < 3; ++round) {
    Host host;
    Link link(host);
    link.greet(1, 2);
    const pid_t session = *host.session();
    const double before = cpu_seconds(session);
    const auto begin = std::chrono::steady_clock::now();
    std::uint64_t sent = 0;
    const auto launch = [&] {
      if (sent < kTasks) link.send(command(++sent, {"/bin/true"}));
    };
    for (int ahead = 0; ahead < 8; ++ahead) launch();
    double user = 0;
    for (std::uint64_t done = 0; done < kTasks; ++done) {
      const Exited exited = link.wait<Exited>();
      REQUIRE(exited.outcome.cause == ExitCause::exited);
      user += static_cast<double>(exited.outcome.user_us + exited.outcome.system_us);
      link.wait<Started>();
      link.send(Forget{{exited.attempt}});
      launch();
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const double session_cpu = cpu_seconds(session) - before;

    const auto peer_begin = std::chrono::steady_clock::now();
    REQUIRE(std::system("seq 10000 | xargs -P2 -n1 /bin/true") == 0);
    const std::chrono::duration<double> peer = std::chrono::steady_clock::now() - peer_begin;
    fmt::print(
        "worker {:.0f} us a task, session's CPU {:.1f} us, tasks' CPU {:.1f} us; xargs -P2 {:.0f} us; ratio {:.2f}\n",
        took.count() * 1e6 / kTasks, session_cpu * 1e6 / kTasks, user / kTasks, peer.count() * 1e6 / kTasks,
        peer.count() / took.count());
  }
}

}  // namespace baton::test
