// The simulator's command line; see README.md.
#include <baton/base/mutation.hpp>

#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "simulation.hpp"

namespace baton::sim {
namespace {

struct Options {
  std::uint64_t first = 1, count = 0, jobs = 1;
  std::optional<std::uint64_t> seed;
  std::string seeds_file;
  bool trace = false, mutations = false;
};

constexpr std::array<std::pair<Mutation, const char*>, 13> kMutations{{
    {Mutation::launch_before_commit, "launch_before_commit"},
    {Mutation::forget_before_commit, "forget_before_commit"},
    {Mutation::answer_before_commit, "answer_before_commit"},
    {Mutation::skip_incarnation, "skip_incarnation"},
    {Mutation::skip_commit_fence, "skip_commit_fence"},
    {Mutation::start_repeated_launch, "start_repeated_launch"},
    {Mutation::drop_tombstone, "drop_tombstone"},
    {Mutation::success_for_lost, "success_for_lost"},
    {Mutation::report_unrecorded, "report_unrecorded"},
    {Mutation::retry_after_cancel, "retry_after_cancel"},
    {Mutation::launch_after_cancel, "launch_after_cancel"},
    {Mutation::ignore_reboot, "ignore_reboot"},
    {Mutation::skip_session_lock, "skip_session_lock"},
}};

std::string folder_of(int number) {
  const char* root = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  return fmt::format("{}/baton-sim.{}.{}", root, ::getpid(), number);
}

volatile std::sig_atomic_t under_way_high, under_way_low;

// An assertion of the production code: name the seed before dying.
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

bool run_one(std::uint64_t seed, const std::string& folder, bool trace) {
  note(seed);
  const Plan plan = make_plan(seed);
  const Outcome outcome = simulate(seed, plan, folder, trace);
  if (!outcome.violation) return true;
  fmt::print("violation: {}: {}, seed {}\n", outcome.violation->invariant, outcome.violation->detail, seed);
  const Plan less = shrink(seed, plan, folder, outcome.violation->invariant);
  for (const std::string& text : less.workflows) fmt::print("{}\n", text);
  fmt::print("shrunk from {} actions to {}:\n", plan.actions.size(), less.actions.size());
  simulate(seed, less, folder, true);
  std::fflush(stdout);
  return false;
}

// Violations of one process' part of the seeds.
int run_range(const Options& options, std::uint64_t job) {
  const std::string folder = folder_of(static_cast<int>(job));
  int bad = 0;
  for (std::uint64_t seed = options.first + job; seed < options.first + options.count; seed += options.jobs) {
    if (!run_one(seed, folder, false) && ++bad == 5) break;
  }
  std::filesystem::remove_all(folder);
  std::filesystem::remove(folder + "-template.db");
  return bad;
}

int run_seeds(const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<pid_t> children;
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
      const int bad = run_range(options, job);
      std::fflush(stdout);
      ::_exit(bad);
    }
    children.push_back(child);
  }
  int bad = 0;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    bad += WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print("{} seeds, {} violations, {:.1f} s, {:.0f} seeds/s\n", options.count, bad, took,
             static_cast<double>(options.count) / took);
  return bad == 0 ? 0 : 1;
}

// Each mutation in a process of its own, because some of them end in an assertion.
int run_mutations(std::uint64_t most) {
  int missed = 0;
  for (const auto& [mutation, name] : kMutations) {
    std::fflush(stdout);
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      ::signal(SIGABRT, SIG_DFL);
      if (::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(2);
      active_mutation = mutation;
      const std::string folder = folder_of(99);
      std::string caught;
      for (std::uint64_t seed = 1; seed <= most && caught.empty(); ++seed) {
        const std::string progress = fmt::format("{} \n", seed);
        if (::write(ends[1], progress.data(), progress.size()) < 0) break;
        const Outcome outcome = simulate(seed, make_plan(seed), folder, false);
        if (outcome.violation) caught = fmt::format("{} {}\n", seed, outcome.violation->invariant);
      }
      if (!caught.empty() && ::write(ends[1], caught.data(), caught.size()) < 0) ::_exit(2);
      std::filesystem::remove_all(folder);
      std::filesystem::remove(folder + "-template.db");
      ::_exit(caught.empty() ? 0 : 3);
    }
    ::close(ends[1]);
    std::string told, last;
    std::array<char, 4096> bytes;
    for (ssize_t got = 0; (got = ::read(ends[0], bytes.data(), bytes.size())) > 0;) {
      told.append(bytes.data(), static_cast<std::size_t>(got));
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    std::istringstream lines(told);
    for (std::string line; std::getline(lines, line);) last = line;
    const std::size_t space = last.find(' ');
    const bool by_assertion = WIFSIGNALED(status);
    const bool caught = by_assertion || (WIFEXITED(status) && WEXITSTATUS(status) == 3);
    missed += caught ? 0 : 1;
    fmt::print("{:<24} {:>14}  {}\n", name, caught ? "seed " + last.substr(0, space) : "NOT CAUGHT",
               by_assertion ? "an assertion"
               : caught     ? last.substr(space + 1)
                            : "");
  }
  return missed == 0 ? 0 : 1;
}

int run_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return 1;
  int bad = 0;
  const std::string folder = folder_of(0);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.front() == '#') continue;
    bad += run_one(std::strtoull(line.c_str(), nullptr, 10), folder, false) ? 0 : 1;
  }
  std::filesystem::remove_all(folder);
  std::filesystem::remove(folder + "-template.db");
  return bad == 0 ? 0 : 1;
}

int usage() {
  fmt::print(stderr,
             "sim --seed N [--trace] | --seeds COUNT [--from N] [--jobs N] | --seeds-file FILE | --mutations\n");
  return 2;
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const auto value = [&] { return ++i < argc ? std::strtoull(argv[i], nullptr, 10) : 0; };
    if (name == "--seed")
      options.seed = value();
    else if (name == "--seeds")
      options.count = value();
    else if (name == "--from")
      options.first = value();
    else if (name == "--jobs")
      options.jobs = std::max<std::uint64_t>(1, value());
    else if (name == "--trace")
      options.trace = true;
    else if (name == "--mutations")
      options.mutations = true;
    else if (name == "--seeds-file" && i + 1 < argc)
      options.seeds_file = argv[++i];
    else
      return usage();
  }
  spdlog::set_level(options.trace ? spdlog::level::info : spdlog::level::off);
  ::signal(SIGABRT, on_abort);
  if (options.mutations) return run_mutations(1'000);
  if (!options.seeds_file.empty()) return run_file(options.seeds_file);
  if (options.count > 0) return run_seeds(options);
  if (!options.seed) return usage();
  const std::string folder = folder_of(0);
  const bool good = run_one(*options.seed, folder, options.trace);
  std::filesystem::remove_all(folder);
  std::filesystem::remove(folder + "-template.db");
  fmt::print("seed {}: {}\n", *options.seed, good ? "no violation" : "VIOLATION");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace baton::sim

int main(int argc, char** argv) { return baton::sim::run(argc, argv); }
