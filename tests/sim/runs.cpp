#include "runs.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "simulation.hpp"

namespace baton::sim {
namespace {

volatile std::sig_atomic_t under_way_high, under_way_low;

void on_abort(int) {
  const std::uint64_t seed = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(under_way_high)) << 32) |
                             static_cast<std::uint32_t>(under_way_low);
  std::array<char, 64> text{};
  std::memcpy(text.data(), "violation: assertion, seed ", 27);
  const auto end = std::to_chars(text.data() + 27, text.data() + 60, seed);
  *end.ptr = '\n';
  [[maybe_unused]] const auto wrote = ::write(2, text.data(), static_cast<std::size_t>(end.ptr - text.data()) + 1);
  ::signal(SIGABRT, SIG_DFL);
}

void note(std::uint64_t seed) {
  under_way_high = static_cast<int>(seed >> 32);
  under_way_low = static_cast<int>(seed);
}

void explain(std::uint64_t seed, const Plan& plan, const std::string& folder, const Violation& violation) {
  fmt::print("violation: {}: {}, seed {}\n", violation.invariant, violation.detail, seed);
  const Plan less = shrink(seed, plan, folder, violation.invariant);
  for (const std::string& text : less.workflows) fmt::print("{}\n", text);
  fmt::print("shrunk from {} actions to {}:\n", plan.actions.size(), less.actions.size());
  simulate(seed, less, folder, true);
  std::fflush(stdout);
}

bool run_one(std::uint64_t seed, const std::string& folder, Manner manner) {
  note(seed);
  const Plan plan = make_plan(seed);
  const Outcome outcome = simulate(seed, plan, folder, manner.trace);
  if (manner.digest) fmt::print("seed {} digest {:016x}\n", seed, outcome.digest);
  if (outcome.violation) {
    explain(seed, plan, folder, *outcome.violation);
    return false;
  }
  if (!manner.twice) return true;
  const Outcome again = simulate(seed, plan, folder, false);
  if (again.digest == outcome.digest) return true;
  fmt::print("violation: a seed is one run: {:016x}, then {:016x}, seed {}\n", outcome.digest, again.digest, seed);
  return false;
}

// Violations of one process' part of the seeds.
int run_part(const Range& range, std::uint64_t job, Manner manner) {
  const Workspace space(job);
  int bad = 0;
  for (std::uint64_t seed = range.first + job; seed < range.first + range.count; seed += range.jobs) {
    if (!run_one(seed, space.folder(), manner) && ++bad == 5) break;
  }
  return bad;
}

}  // namespace

Workspace::Workspace(std::uint64_t number, pid_t process)
    : folder_(fmt::format("{}/baton-sim.{}.{}", std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp",
                          process, number)) {}

Workspace::~Workspace() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  std::filesystem::remove(folder_ + "-template.db", ignored);
}

int run_seed(std::uint64_t seed, Manner manner) {
  const Workspace space(0);
  const bool good = run_one(seed, space.folder(), manner);
  fmt::print("seed {}: {}\n", seed, good ? "no violation" : "VIOLATION");
  return good ? 0 : 1;
}

int run_seeds(const Range& range, Manner manner) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<pid_t> children;
  for (std::uint64_t job = 0; job < range.jobs; ++job) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
      const int bad = run_part(range, job, manner);
      std::fflush(stdout);
      ::_exit(bad);
    }
    children.push_back(child);
  }
  int bad = 0;
  for (std::size_t job = 0; job < children.size(); ++job) {
    const Workspace left(job, children[job]);
    int status = 0;
    ::waitpid(children[job], &status, 0);
    bad += WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("{} seeds, {} violations, {:.1f} s, {:.0f} seeds/s\n", range.count, bad, took,
             static_cast<double>(range.count) / took);
  return bad == 0 ? 0 : 1;
}

int run_file(const std::string& path, Manner manner) {
  std::ifstream file(path);
  if (!file) return 1;
  int bad = 0, seeds = 0;
  const Workspace space(0);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    ++seeds;
    bad += run_one(std::strtoull(line.c_str(), nullptr, 10), space.folder(), manner) ? 0 : 1;
  }
  return bad == 0 && seeds > 0 ? 0 : 1;
}

void name_seed_on_abort() { ::signal(SIGABRT, on_abort); }

}  // namespace baton::sim
