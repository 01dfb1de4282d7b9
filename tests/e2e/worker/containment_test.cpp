// A finished attempt leaves nothing behind and its cause is right: with control groups and without.
#include <unistd.h>

#include <csignal>
#include <memory>
#include <sstream>

#include "client.hpp"
#include "skip.hpp"

namespace baton::test {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

// Greets; false if this host does not offer the containment, which is said once.
bool contained(Host& host, std::unique_ptr<Link>& link, const std::string& by) {
  if (by == "session") host.environment.emplace_back("BATON_CONTAINMENT", "session");
  link = std::make_unique<Link>(host);
  const std::string got = link->greet().containment;
  if (by == "session") CHECK(got == "session");
  if (got.starts_with(by)) return true;
  testing::skip("no control group can be made here");
  return false;
}

std::vector<pid_t> pids_in(const std::string& file) {
  std::vector<pid_t> pids;
  std::istringstream text(read_file(file));
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

void check_all_gone(const std::string& file, std::size_t at_least) {
  const std::vector<pid_t> pids = pids_in(file);
  CHECK(pids.size() >= at_least);
  for (const pid_t pid : pids) CHECK_FALSE(process_exists(pid));
}

// Daemonises with a scrubbed environment and ignores what can be ignored.
std::string daemon(const std::string& file) {
  return "env -i setsid sh -c 'trap \"\" TERM HUP INT; (exec sh -c \"echo \\$\\$ >> " + file +
         "; exec sleep 1000\") & ' & until test -s " + file + "; do sleep 0.01; done\n";
}

}  // namespace

TEST_CASE("what a task leaves running is ended, however it hides") {
  const std::string by = GENERATE("cgroup", "session");
  Host host;
  std::unique_ptr<Link> link;
  if (!contained(host, link, by)) return;
  const std::string file = host.root() + "/pids";
  link->send(script(1, daemon(file) + "exit 3"));
  const Outcome outcome = link->exited(1);
  CHECK(outcome.cause == ExitCause::exited);
  CHECK(outcome.detail == 3);
  check_all_gone(file, 1);
}

TEST_CASE("an orphan without a mark is ended with its own task while another runs, by control groups") {
  Host host;
  std::unique_ptr<Link> link;
  if (!contained(host, link, "cgroup")) return;
  const std::string file = host.root() + "/pids";
  link->send(script(1, "exec sleep 1000"));
  const Started neighbour = link->started(1);
  link->send(script(2, daemon(file)));
  CHECK(link->exited(2).detail == 0);
  check_all_gone(file, 1);
  CHECK(process_exists(static_cast<pid_t>(neighbour.pid)));
  link->send(kill_of(1));
  CHECK(link->exited(1).cause == ExitCause::cancelled);
}

TEST_CASE("a fork bomb is over when its attempt is", "[wide]") {
  const std::string by = GENERATE("cgroup", "session");
  Host host;
  std::unique_ptr<Link> link;
  if (!contained(host, link, by)) return;
  const std::string file = host.root() + "/pids";
  // Each of 60 processes keeps making others that outlive it; at most about 120 at any time.
  Launch bomb = script(1, "for i in $(seq 60); do setsid sh -c 'trap \"\" TERM; echo $$ >> " + file +
                              "; while :; do sleep 0.05; done' & done; wait");
  bomb.grace = std::chrono::milliseconds(50);
  link->send(bomb);
  wait_for_file(file, [&](const std::string&) { return pids_in(file).size() >= 60; });
  link->send(kill_of(1));
  CHECK(link->exited(1).cause == ExitCause::cancelled);
  check_all_gone(file, 60);
}

TEST_CASE("a session that comes back finds its attempts' groups and ends what is left in them") {
  const std::string by = GENERATE("cgroup", "session");
  Host host;
  std::unique_ptr<Link> link;
  if (!contained(host, link, by)) return;
  const std::string file = host.root() + "/pids";
  link->send(script(1, daemon(file) + "exec sleep 1000"));
  const auto main = static_cast<pid_t>(link->started(1).pid);
  wait_for_file(file, [](const std::string& text) { return !text.empty(); });
  ::kill(*host.session(), SIGKILL);
  link->wait_for_end();
  Link again(host);
  again.greet(2);
  again.send(kill_of(1));
  CHECK(again.exited(1).cause == ExitCause::cancelled);
  CHECK_FALSE(process_exists(main));
  if (by == "cgroup") check_all_gone(file, 1);
  again.send(command(2, {"/bin/true"}));
  CHECK(again.exited(2).detail == 0);
}

TEST_CASE("a task that uses up its memory ends with oom, and the next one is not blamed") {
  Host host;
  Link link(host);
  if (link.greet(1, 1).containment != "cgroup") return testing::skip("memory cannot be limited here");
  Launch hog = command(1, {"python3", "-c", "x = bytearray(256 << 20)"});
  hog.needs.memory_bytes = 64 * kMiB;
  link.send(hog);
  const Outcome outcome = link.exited(1);
  CHECK(outcome.cause == ExitCause::oom);
  CHECK(outcome.detail == 128 + SIGKILL);
  CHECK(outcome.message == "used up its 64Mi of memory");
  Launch modest = command(2, {"sh", "-c", "exit 5"});
  modest.needs.memory_bytes = 64 * kMiB;
  link.send(modest);
  CHECK(link.exited(2).cause == ExitCause::exited);
  link.send(script(3, "kill -KILL $$"));
  CHECK(link.exited(3).cause == ExitCause::signalled);
  link.send(command(4, {"python3", "-c", "x = bytearray(128 << 20)"}));  // no limit
  CHECK(link.exited(4).detail == 0);
}

TEST_CASE("the kernel prefers tasks to the worker's supervisor when memory is short") {
  Host host;
  Link link(host);
  link.greet();
  link.send(script(1, "cat /proc/self/oom_score_adj"));
  const int task = std::stoi(link.log(link.exited(1).log));
  const int supervisor = std::stoi(read_file("/proc/" + std::to_string(*host.supervisor()) + "/oom_score_adj"));
  CHECK(task > supervisor);
}

TEST_CASE("a log without end is capped, and its task is not stopped") {
  Host host;
  host.environment.emplace_back("BATON_LOG_BYTES", std::to_string(kMiB));
  Link link(host);
  link.greet();
  link.send(script(1, "echo head; head -c 16777216 /dev/zero | tr '\\0' x; echo; echo tail"));
  const Outcome outcome = link.exited(1);
  CHECK(outcome.detail == 0);
  CHECK(outcome.log.to - outcome.log.from == 16777216 + 11);
  std::string all;
  for (std::uint64_t at = outcome.log.from; at < outcome.log.to;) {
    LogExtent rest = outcome.log;
    rest.from = at;
    link.send(ReadLog{.request = 1, .extent = rest, .max_bytes = 1u << 16, .from_end = false});
    const LogData data = link.wait<LogData>();
    REQUIRE(!data.bytes.empty());
    all += data.bytes;
    at = data.offset + data.bytes.size();
  }
  CHECK(all.size() <= kMiB);
  CHECK(all.starts_with("head\nxxx"));
  CHECK(all.ends_with("xxx\ntail\n"));
  CHECK(all.find("bytes were left out here]\n") != std::string::npos);
  CHECK(all.find('\0') == std::string::npos);
  CHECK(link.log(outcome.log, true, 5) == "tail\n");
}

}  // namespace baton::test
