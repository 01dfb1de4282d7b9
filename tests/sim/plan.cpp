#include "plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace baton::sim {

std::string_view to_string(What what) {
  constexpr std::array kNames{"submit",
                              "cancel",
                              "retry",
                              "decide",
                              "step the clock",
                              "cut the link",
                              "freeze the daemon and start another",
                              "crash the daemon",
                              "crash before a commit",
                              "crash after a commit",
                              "crash while releasing",
                              "crash the session",
                              "crash inside the session",
                              "crash the supervisor",
                              "crash session and supervisor",
                              "reboot the worker",
                              "slow disk",
                              "duplicate frames",
                              "tear the journal",
                              "the database's disk is full",
                              "stop the session",
                              "fill the worker's disk"};
  return kNames[static_cast<std::size_t>(what)];
}

namespace {

std::string make_task(Chance& chance, int index, bool may_use) {
  std::string text = fmt::format("  t{}:\n", index);
  std::string needs;
  for (int n = 0; n < index; ++n) {
    if (chance.in(3)) needs += fmt::format("{}t{}", needs.empty() ? "" : ", ", n);
  }
  if (!needs.empty()) text += fmt::format("    needs: [{}]\n", needs);
  if (chance.in(10)) {
    return text + fmt::format("    approval: {{message: go on, timeout: {}s}}\n", 2 + chance.below(20));
  }
  const bool uses = may_use && chance.in(8);
  if (!uses && chance.in(5)) {
    text += fmt::format("    matrix: {{n: [1, 2, 3]}}\n    max_parallel: {}\n", 1 + chance.below(3));
    if (chance.in(2)) text += "    fail_fast: true\n";
  }
  if (!needs.empty() && chance.in(10)) text += "    if: always()\n";
  if (uses) return text + "    uses: ./child.yaml\n";
  if (chance.in(2)) {
    text += fmt::format("    retry: {{max_retries: {}, delay: {}ms}}\n", 1 + chance.below(3), chance.below(3) * 200);
  }
  if (chance.in(3)) text += fmt::format("    timeout: {}s\n", 1 + chance.below(4));
  text += fmt::format("    grace: {}ms\n", chance.below(3) * 500);
  if (chance.in(5)) text += "    outputs: [x]\n";
  return text + "    command: [/sim/task]\n";
}

// What has to be shared out: cores and devices of machines, slots of pools, a deploy target, the places of a limit.
std::string make_wants(Chance& chance, std::size_t machines) {
  constexpr std::array kCores{"500m", "1", "2"};
  constexpr std::array kDevices{"0", "250m", "500m", "1", "2"};
  std::string text = fmt::format("    resources: {{cpu: {}, ", kCores[chance.below(kCores.size())]);
  text += fmt::format("gpu: {}}}\n", kDevices[chance.below(kDevices.size())]);
  const std::uint64_t wide = chance.in(3) ? 1 + chance.below(5) : 0;
  const bool narrow = chance.in(4);
  if (wide > 0 && narrow) {
    text += fmt::format("    pool: {{wide: {}, narrow: 1}}\n", wide);
  } else if (wide > 0) {
    text += fmt::format("    pool: {{wide: {}}}\n", wide);
  } else if (narrow) {
    text += "    pool: {narrow: 1}\n";
  }
  if (chance.in(4)) text += "    kind: deploy\n    environment: production\n";
  if (chance.in(4)) text += fmt::format("    priority: {}\n", chance.below(3));
  if (machines > 1 && chance.in(3)) text += fmt::format("    runs_on: {}\n", kMachineNames[chance.below(machines)]);
  if (chance.in(3)) text += fmt::format("    timeout: {}s\n", 1 + chance.below(4));
  text += fmt::format("    grace: {}ms\n", chance.below(3) * 500);
  if (chance.in(2)) text += fmt::format("    retry: {{max_retries: {}, delay: 100ms}}\n", 1 + chance.below(3));
  return text;
}

// Tasks that compete, for a run's param as it was when they were tried; one says how many instances another one has.
std::string make_rivals(Chance& chance, std::size_t machines) {
  std::string text;
  const std::uint64_t rivals = 1 + chance.below(4);
  for (std::uint64_t i = 0; i < rivals; ++i) {
    text += fmt::format("  s{}:\n    command: [/sim/task]\n    env: {{P: \"${{{{ params.p }}}}\"}}\n", i);
    if (chance.in(4)) text += "    needs: [t0]\n";
    if (chance.in(3))
      text += fmt::format("    matrix: {{n: [1, 2, 3, 4]}}\n    max_parallel: {}\n", 1 + chance.below(4));
    text += make_wants(chance, machines);
  }
  if (!chance.in(2)) return text;
  text += "  split:\n    command: [/sim/task]\n    outputs: [x]\n" + make_wants(chance, machines);
  text += "  shards:\n    command: [/sim/task]\n    needs: [split]\n";
  text += "    matrix: {n: \"${{ fromJSON(needs.split.outputs.x) }}\"}\n";
  text += fmt::format("    max_parallel: {}\n", 1 + chance.below(3));
  text += make_wants(chance, machines);
  if (chance.in(2)) text += "  merge:\n    command: [/sim/task]\n    needs: [shards]\n" + make_wants(chance, machines);
  return text;
}

// `rivals`: chance of their own, so that the other tasks are the same with and without them; null: none.
std::string make_workflow(Chance& chance, std::string_view name, int most, bool may_use, Chance* rivals = nullptr,
                          std::size_t machines = 1) {
  std::string text = fmt::format("name: {}\n", name);
  if (chance.in(8)) text += "max_active_runs: 1\n";
  if (rivals != nullptr) {
    text += "params: {p: {type: int, default: 0}}\n";
    if (rivals->in(4)) text += fmt::format("max_active_tasks: {}\n", 1 + rivals->below(3));
  }
  text += "tasks:\n";
  const int tasks = 1 + static_cast<int>(chance.below(static_cast<std::uint64_t>(most)));
  for (int i = 0; i < tasks; ++i) text += make_task(chance, i, may_use);
  if (rivals != nullptr) text += make_rivals(*rivals, machines);
  if (chance.in(5)) text += "finally:\n  last:\n    command: [/sim/task]\n";
  return text;
}

}  // namespace

Plan make_plan(std::uint64_t seed) {
  Chance chance(mix(seed, 0x91a));
  Plan plan;
  plan.child = make_workflow(chance, "child", 2, false);
  // Chance of its own, so that what seeds did before there were rivals, half of them still do.
  Chance rivals(mix(seed, 0x51a1));
  const bool has_rivals = rivals.in(2);
  if (has_rivals && rivals.in(2)) plan.machines = kMachineNames.size();
  Chance* const some = has_rivals ? &rivals : nullptr;
  plan.workflows.push_back(make_workflow(chance, "main", 5, true, some, plan.machines));
  if (chance.in(3)) plan.workflows.push_back(make_workflow(chance, "other", 3, true, some, plan.machines));
  const auto add = [&](What what, Time within) {
    plan.actions.push_back({chance.below(within), what, chance.next(), chance.next()});
  };
  const Time span = chance.in(2) ? 2 * kSecond : 15 * kSecond;
  plan.actions.push_back({1 * kMs, What::submit, 0, 0});
  for (std::uint64_t n = chance.below(3); n > 0; --n) add(What::submit, span);
  for (std::uint64_t n = chance.below(3); n > 0; --n) add(What::decide, span);
  if (chance.in(2)) add(What::cancel, span);
  for (std::uint64_t n = chance.below(3); n > 0; --n) add(What::retry, span * 2);
  constexpr auto kFirstFault = static_cast<std::uint64_t>(What::clock_step);
  constexpr auto kFaults = static_cast<std::uint64_t>(What::tear_journal) + 1 - kFirstFault;
  for (std::uint64_t n = chance.below(9); n > 0; --n) {
    add(static_cast<What>(kFirstFault + chance.below(kFaults)), span);
  }
  // Chance of its own, so that what seeds did before there was this fault they still do.
  Chance disk(mix(seed, 0xd15));
  for (std::uint64_t n = disk.in(4) ? 1 + disk.below(3) : 0; n > 0; --n) {
    const Time when = disk.below(span);
    plan.actions.push_back({when, What::full_disk, disk.next(), disk.next()});
    if (disk.in(3)) plan.actions.push_back({when + disk.below(kSecond), What::crash_daemon, 0, 0});
  }
  // So has this one. What is stopped stays so for a while, or for good.
  Chance stops(mix(seed, 0x570b));
  for (std::uint64_t n = stops.in(4) ? 1 + stops.below(2) : 0; n > 0; --n) {
    const Time when = stops.below(span);
    plan.actions.push_back({when, What::stop_session, stops.next(), stops.next()});
    if (stops.in(4)) plan.actions.push_back({when + stops.below(kSecond), What::crash_supervisor, 0, stops.next()});
  }
  Chance worker_disk(mix(seed, 0xd15c));
  for (std::uint64_t n = worker_disk.in(4) ? 1 + worker_disk.below(3) : 0; n > 0; --n) {
    const Time when = worker_disk.below(span);
    plan.actions.push_back({when, What::full_worker_disk, worker_disk.next(), worker_disk.next()});
    if (worker_disk.in(3)) {
      const What end = worker_disk.in(2) ? What::crash_session : What::crash_both;
      plan.actions.push_back({when + worker_disk.below(kSecond), end, worker_disk.next(), worker_disk.next()});
    }
  }
  // Runs compete as well, and some go away.
  for (std::uint64_t n = has_rivals ? rivals.below(4) : 0; n > 0; --n) {
    const Time when = rivals.below(span);
    plan.actions.push_back({when, What::submit, rivals.next(), 0});
    if (rivals.in(2)) plan.actions.push_back({when + rivals.below(3 * kSecond), What::cancel, rivals.next(), 0});
  }
  std::ranges::stable_sort(plan.actions, {}, &Action::when);
  return plan;
}

}  // namespace baton::sim
