#include "enumerate.hpp"

#include <fmt/ranges.h>

#include <array>
#include <chrono>
#include <functional>
#include <span>

#include "runs.hpp"
#include "simulation.hpp"
#include "trial.hpp"

namespace baton::sim {
namespace {

using enum Condition;
constexpr std::array kNone{none};
constexpr std::array kTwo{none, failure};
constexpr std::array kThree{none, always, failure};
constexpr std::array kFour{none, always, failure, never};
constexpr std::array kAll{none, always, success, failure, cancelled, never};

struct Pass {
  const char* name;
  std::size_t from, to;  // tasks
  std::span<const Condition> conditions;
  bool with_finally;  // the last of them, and so on up to all but the first
  Freedom freedom;
  std::uint32_t max_retries = 0;
};

constexpr std::array<Pass, 12> kPasses{{
    {"conditions", 1, 3, kAll, true, {}},
    {"conditions of four", 4, 4, kFour, false, {}},
    {"finally of four", 4, 4, kTwo, true, {}},
    {"cancel, lost worker, any order", 1, 3, kThree, true, {.any_order = true, .cancel = true, .reboot = true}},
    {"cancel and any order of four", 4, 4, kTwo, false, {.any_order = true, .cancel = true}},
    {"lost worker of four", 4, 4, kTwo, false, {.reboot = true}},
    {"retries", 1, 2, kTwo, false, {.any_order = true, .cancel = true, .reboot = true}, 1},
    {"retries of three", 3, 3, kNone, false, {.any_order = true, .cancel = true}, 1},
    {"two events in a step", 1, 3, kTwo, true, {.any_order = true, .cancel = true, .reboot = true, .pairs = true}},
    {"two events in a step, retries", 1, 2, kNone, false, {.cancel = true, .reboot = true, .pairs = true}, 1},
    {"restart after every step", 1, 3, kTwo, true, {.cancel = true, .reboot = true, .restart = true}},
    {"restart after every step of four", 4, 4, kTwo, false, {.cancel = true, .restart = true}},
}};

std::string text_of(const std::vector<RuleTask>& tasks, std::uint32_t max_retries) {
  std::string text = "name: main\ntasks:\n";
  for (std::size_t task = 0; task < tasks.size(); ++task) {
    const RuleTask& self = tasks[task];
    if (self.is_finally && !tasks[task - 1].is_finally) text += "finally:\n";
    text += fmt::format("  t{}: {{command: [/sim/task]", task);
    if (!self.needs.empty()) text += fmt::format(", needs: [t{}]", fmt::join(self.needs, ", t"));
    if (self.condition != none) text += fmt::format(", if: \"${{{{ {} }}}}\"", to_text(self.condition));
    if (max_retries > 0) text += fmt::format(", retry: {{max_retries: {}, delay: 0s}}", max_retries);
    text += "}\n";
  }
  return text;
}

// Every set of edges from lower to higher numbers: every acyclic graph, up to the names of its tasks.
void for_every_graph(std::size_t size, const std::function<void(std::vector<RuleTask>&)>& visit) {
  const std::size_t pairs = size * (size - 1) / 2;
  for (std::size_t edges = 0; edges < std::size_t{1} << pairs; ++edges) {
    std::vector<RuleTask> tasks(size);
    std::size_t pair = 0;
    for (std::size_t to = 1; to < size; ++to) {
      for (std::size_t from = 0; from < to; ++from) {
        if ((edges >> pair++ & 1) != 0) tasks[to].needs.push_back(from);
      }
    }
    visit(tasks);
  }
}

void for_every_condition(std::vector<RuleTask>& tasks, std::span<const Condition> conditions,
                         const std::function<void()>& visit) {
  Choices choices;
  do {
    for (RuleTask& task : tasks) task.condition = conditions[choices.pick(conditions.size())];
    visit();
  } while (choices.next());
}

using Visit = std::function<void(const SmallGraph&)>;

void for_every_case(const Pass& pass, const Visit& visit) {
  for (std::size_t size = pass.from; size <= pass.to; ++size) {
    for_every_graph(size, [&](std::vector<RuleTask>& tasks) {
      for (std::size_t last = 0; last < (pass.with_finally ? size : 1); ++last) {
        for (std::size_t task = 0; task < size; ++task) tasks[task].is_finally = task >= size - last;
        for_every_condition(tasks, pass.conditions, [&] {
          SmallGraph graph{.text = text_of(tasks, pass.max_retries), .workflow = nullptr, .tasks = tasks};
          graph.max_retries = pass.max_retries;
          auto parsed = workflow::parse_workflow("main.yaml", graph.text);
          require(parsed.workflow != nullptr, "set-up", "{}", graph.text);
          graph.workflow = std::move(parsed.workflow);
          visit(graph);
        });
      }
    });
  }
}

struct Counts {
  std::size_t graphs = 0, runs = 0;
};

void run_pass(const Pass& pass, Counts& counts) {
  for_every_case(pass, [&](const SmallGraph& graph) {
    ++counts.graphs;
    Choices choices;
    do {
      ++counts.runs;
      try_graph(graph, pass.freedom, choices);
    } while (choices.next());
  });
}

// The same graphs in the simulated world, each with the faults of a seed: its model holds every end to the rules too.
constexpr std::array<Pass, 2> kWorlds{{
    {"in the simulated world", 1, 3, kTwo, false, {}},
    {"in the simulated world, of four", 4, 4, kNone, false, {}},
}};

void run_worlds(const Pass& pass, const std::string& folder, Counts& counts) {
  for_every_case(pass, [&](const SmallGraph& graph) {
    ++counts.graphs;
    ++counts.runs;
    Plan plan = make_plan(counts.runs);
    plan.workflows = {graph.text};
    const Outcome outcome = simulate(counts.runs, plan, folder, false);
    if (!outcome.violation) return;
    throw Violation{outcome.violation->invariant,
                    fmt::format("{}\nseed {} with\n{}", outcome.violation->detail, counts.runs, graph.text)};
  });
}

void print_row(const char* name, const Counts& counts, std::size_t violations, double took) {
  fmt::print("{:<34} {:>7} graphs {:>8} runs {:>3} violations {:>6.1f} s\n", name, counts.graphs, counts.runs,
             violations, took);
}

// False: a violation, which is printed and ends the row.
bool run_row(const char* name, const std::function<void(Counts&)>& run, Counts& total) {
  const auto begin = std::chrono::steady_clock::now();
  Counts counts;
  std::optional<Violation> violation;
  try {
    run(counts);
  } catch (const Violation& thrown) {
    violation = thrown;
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  print_row(name, counts, violation ? 1 : 0, took);
  total.graphs += counts.graphs;
  total.runs += counts.runs;
  if (violation) fmt::print("violation: {}: {}\n", violation->invariant, violation->detail);
  std::fflush(stdout);
  return !violation;
}

}  // namespace

int run_enumeration() {
  const auto begin = std::chrono::steady_clock::now();
  Counts total;
  std::size_t bad = 0;
  for (const Pass& pass : kPasses) {
    bad += run_row(pass.name, [&](Counts& counts) { run_pass(pass, counts); }, total) ? 0 : 1;
  }
  const Workspace space(0);
  for (const Pass& pass : kWorlds) {
    bad += run_row(pass.name, [&](Counts& counts) { run_worlds(pass, space.folder(), counts); }, total) ? 0 : 1;
  }
  print_row("all", total, bad, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  return bad == 0 ? 0 : 1;
}

std::string first_violation_of_enumeration() {
  Counts counts;
  try {
    for (const Pass& pass : kPasses) run_pass(pass, counts);
  } catch (const Violation& violation) {
    return fmt::format("graph {}\t{}", counts.graphs, violation.invariant);
  }
  return "";
}

}  // namespace baton::sim
