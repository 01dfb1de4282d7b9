#include "world.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace baton::sim {

void World::at(Time when, std::shared_ptr<Life> life, std::function<void()> happen) {
  events_.push({std::max(when, now_), order_++, std::move(life), std::move(happen)});
}

void World::thaw(Life& life, const std::shared_ptr<Life>& shared) {
  life.frozen = false;
  for (auto& happen : std::exchange(life.missed, {})) at(now_, shared, std::move(happen));
}

void World::note(std::string_view bytes) {
  while (!bytes.empty()) {
    std::uint64_t word = bytes.size();
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    digest_ = mix(digest_, word);
    bytes.remove_prefix(size);
  }
}

bool World::step() {
  if (events_.empty()) return false;
  Event event = events_.top();
  events_.pop();
  now_ = event.when;
  digest_ = mix(digest_ ^ event.order, now_);
  if (event.life && !event.life->alive) return true;
  if (event.life && event.life->frozen) {
    event.life->missed.push_back(std::move(event.happen));
    return true;
  }
  event.happen();
  return true;
}

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
                              "the database's disk is full"};
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

std::string make_workflow(Chance& chance, std::string_view name, int most, bool may_use) {
  std::string text = fmt::format("name: {}\n", name);
  if (chance.in(8)) text += "max_active_runs: 1\n";
  text += "tasks:\n";
  const int tasks = 1 + static_cast<int>(chance.below(static_cast<std::uint64_t>(most)));
  for (int i = 0; i < tasks; ++i) text += make_task(chance, i, may_use);
  if (chance.in(5)) text += "finally:\n  last:\n    command: [/sim/task]\n";
  return text;
}

}  // namespace

Plan make_plan(std::uint64_t seed) {
  Chance chance(mix(seed, 0x91a));
  Plan plan;
  plan.child = make_workflow(chance, "child", 2, false);
  plan.workflows.push_back(make_workflow(chance, "main", 5, true));
  if (chance.in(3)) plan.workflows.push_back(make_workflow(chance, "other", 3, true));
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
  std::ranges::stable_sort(plan.actions, {}, &Action::when);
  return plan;
}

}  // namespace baton::sim
