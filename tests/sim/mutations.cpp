#include "mutations.hpp"

#include <baton/base/mutation.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <sstream>

#include "enumerate.hpp"
#include "runs.hpp"
#include "simulation.hpp"

namespace baton::sim {
namespace {

struct Named {
  Mutation mutation;
  const char* name;
  bool by_graphs = false;  // the small graphs catch it, and no seed need
};

constexpr std::array<Named, 21> kMutations{{
    {Mutation::launch_before_commit, "launch_before_commit"},
    {Mutation::forget_before_commit, "forget_before_commit"},
    {Mutation::answer_before_commit, "answer_before_commit"},
    {Mutation::skip_incarnation, "skip_incarnation"},
    {Mutation::commit_without_room, "commit_without_room"},
    {Mutation::skip_commit_fence, "skip_commit_fence"},
    {Mutation::start_repeated_launch, "start_repeated_launch"},
    {Mutation::drop_tombstone, "drop_tombstone"},
    {Mutation::success_for_lost, "success_for_lost"},
    {Mutation::report_unrecorded, "report_unrecorded"},
    {Mutation::fail_without_room, "fail_without_room"},
    {Mutation::retry_after_cancel, "retry_after_cancel"},
    {Mutation::launch_after_cancel, "launch_after_cancel"},
    {Mutation::run_after_skip, "run_after_skip", true},
    {Mutation::ignore_reboot, "ignore_reboot"},
    {Mutation::ignore_pool, "ignore_pool"},
    {Mutation::forget_grants, "forget_grants"},
    {Mutation::share_device, "share_device"},
    {Mutation::wait_by_the_clock, "wait_by_the_clock"},
    {Mutation::ignore_silence, "ignore_silence"},
    {Mutation::skip_session_lock, "skip_session_lock"},
}};

// In a process of its own: says every seed before it runs, because an assertion may be the end, and then what caught
// it. What an assertion says goes the same way.
int try_one(const Named& named, std::uint64_t most, int told) {
  ::signal(SIGABRT, SIG_DFL);
  if (::dup2(told, STDERR_FILENO) < 0) return 2;
  active_mutation = named.mutation;
  const auto tell = [&](const std::string& line) {
    return ::write(told, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  };
  if (named.by_graphs) {
    const std::string found = first_violation_of_enumeration();
    return found.empty() ? 0 : tell(found + "\n") ? 3 : 2;
  }
  const Workspace space(0);
  for (std::uint64_t seed = 1; seed <= most; ++seed) {
    if (!tell(fmt::format("seed {}\t\n", seed))) return 2;
    const Outcome outcome = simulate(seed, make_plan(seed), space.folder(), false);
    if (outcome.violation) return tell(fmt::format("seed {}\t{}\n", seed, outcome.violation->invariant)) ? 3 : 2;
  }
  return 0;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> bytes;
  for (ssize_t got = 0; (got = ::read(fd, bytes.data(), bytes.size())) > 0;) {
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// What the production code asserted in this line of stderr, or nothing: an exception that nobody caught and the
// assertions of other libraries abort as well, but hold no promise.
std::string asserted(const std::string& line) {
  constexpr std::string_view kBegin = ": Assertion `";
  const std::size_t at = line.find(kBegin);
  if (at == std::string::npos || line.substr(0, at).find("/lib/") == std::string::npos) return "";
  return line.substr(at + kBegin.size(), line.rfind('\'') - at - kBegin.size());
}

bool is_caught(const Named& named, std::uint64_t most) {
  std::fflush(stdout);
  int ends[2];
  if (::pipe(ends) != 0) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::_exit(try_one(named, most, ends[1]));
  }
  ::close(ends[1]);
  const Workspace left(0, child);
  std::istringstream lines(read_all(ends[0]));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  std::string last, assertion;
  for (std::string line; std::getline(lines, line);) {
    if (line.find('\t') != std::string::npos) last = line;
    if (const std::string text = asserted(line); !text.empty()) assertion = text;
  }
  const std::size_t tab = last.find('\t');
  const std::string where = last.substr(0, tab);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (code == 3 || (signal == SIGABRT && !assertion.empty())) {
    fmt::print("{:<24} {:>14}  {}\n", named.name, where,
               code == 3 ? last.substr(tab + 1) : fmt::format("assertion: {}", assertion));
    return true;
  }
  // A crash or a sanitizer's end is no find: what a defect does must be defined, or it proves nothing.
  fmt::print("{:<24} {:>14}  {}\n", named.name, "NOT CAUGHT",
             code == 0 && signal == 0 ? "" : fmt::format("{}, exit code {}, signal {}", where, code, signal));
  return false;
}

}  // namespace

bool activate(std::string_view name) {
  const auto* const found = std::ranges::find_if(kMutations, [&](const Named& named) { return named.name == name; });
  if (found == kMutations.end()) return false;
  active_mutation = found->mutation;
  return true;
}

int run_mutations(std::uint64_t most) {
  std::size_t caught = 0;
  for (const Named& named : kMutations) caught += is_caught(named, most) ? 1 : 0;
  return caught == kMutations.size() ? 0 : 1;
}

}  // namespace baton::sim
