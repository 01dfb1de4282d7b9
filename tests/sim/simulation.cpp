#include "simulation.hpp"

#include <algorithm>
#include <filesystem>

#include "daemon.hpp"
#include "disk.hpp"

namespace baton::sim {
namespace {

constexpr Time kBound = 600 * kSecond;  // after the faults have stopped
constexpr std::uint64_t kMostSteps = 400'000;

void add_workflows(Site& site, const Plan& plan) {
  for (const std::string& text : plan.workflows) {
    const auto parsed =
        workflow::parse_bundle({.entry = "main.yaml", .files = {{"main.yaml", text}, {"child.yaml", plan.child}}});
    if (!parsed.workflow) throw Violation{"set-up", "workflow: " + parsed.diagnostics.front().message + "\n" + text};
    site.workflows[parsed.workflow->name] = parsed.workflow;
    site.model.know(parsed.workflow->name, parsed.workflow);
    for (const auto& task : parsed.workflow->tasks) {
      const auto* uses = std::get_if<workflow::UsesWorkflow>(&task.action);
      if (uses == nullptr) continue;
      site.workflows[uses->workflow->name] = uses->workflow;
      site.model.know(uses->workflow->name, uses->workflow);
    }
  }
}

// A database with its tables, made once and copied.
const std::string& template_database(const std::string& folder) {
  static const std::string path = [&] {
    std::string made = folder + "-template.db";
    std::filesystem::remove(made);
    if (!store::ensure_file(made)) throw Violation{"set-up", made};
    store::Connection connection(made, store::Access::read_write);
    store::prepare_database(connection);
    connection.execute("UPDATE meta SET state_id = '00000000000000000000000000000001'");  // it travels in frames
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    return made;
  }();
  return path;
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, const Plan& plan, const std::string& folder, bool trace)
      : plan_(plan),
        world_(seed, trace),
        model_(world_),
        site_{.world = world_,
              .model = model_,
              .machines = machines_,
              .database = folder + "/db",
              .boot_file = folder + "/boot"} {
    std::filesystem::copy_file(template_database(folder), site_.database);
    for (std::size_t i = 0; i < plan.machines; ++i) {
      const std::string& name = kMachineNames[i];
      machines_.push_back(std::make_unique<Machine>(world_, model_, name, folder + "/" + name));
    }
    add_workflows(site_, plan);
    for (const auto& [name, workflow] : site_.workflows) {
      if (name != "child") mains_.push_back(name);
    }
  }

  void run() {
    start_daemon();
    for (const Action& action : plan_.actions) {
      world_.at(action.when, nullptr, [this, &action] { act(action); });
    }
    world_.at(plan_.actions.back().when + kSecond, nullptr, [this] { heal(); });
    while (!(healed_ && model_.all_ended() && world_.now() > quiet_at_)) {
      ++steps;
      if ((healed_ && world_.now() >= healed_at_ + kBound) || steps >= kMostSteps) {
        throw Violation{"every run ends", fmt::format("{} steps:{}", steps, model_.unfinished())};
      }
      if (!step()) break;
      if (!model_.all_ended()) quiet_at_ = world_.now() + 30 * kSecond;
    }
    require(model_.all_ended(), "every run ends", "nothing happens any more:{}", model_.unfinished());
    model_.finish();
    daemon_.reset();
    daemon_ = std::make_unique<Daemon>(site_);  // what is on disk is what was said
  }

  [[nodiscard]] std::uint64_t digest() const { return world_.digest(); }

  std::uint64_t steps = 0;

 private:
  bool step() {
    bool more = false;
    try {
      more = world_.step();
    } catch (const DaemonCrash&) {
      more = true;
      world_.say("daemon crashed inside");
      crash_daemon();
    }
    if (daemon_ && daemon_->failed()) crash_daemon();
    if (stale_ && stale_->failed()) stale_.reset();
    if (daemon_) daemon_->check();
    return more;
  }

  void start_daemon() {
    if (daemon_) return;
    try {
      daemon_ = std::make_unique<Daemon>(site_);
    } catch (const NoStart&) {
      world_.say("no daemon can begin");
      start_later(500 * kMs);
    }
  }
  void start_later(Time delay) {
    if (starting_) return;
    starting_ = true;
    world_.after(delay, nullptr, [this] {
      starting_ = false;
      start_daemon();
    });
  }
  void crash_daemon() {
    daemon_.reset();
    start_later(20 * kMs);
  }
  // SIGSTOP for a while; what keeps two daemons apart (the lock) is lost too.
  void freeze(const Action& action) {
    if (!daemon_ || stale_) return;
    daemon_->life()->frozen = true;
    stale_ = std::move(daemon_);
    if (action.a % 2 == 0) cut(action);
    start_daemon();
    world_.after(action.b % (8 * kSecond), nullptr, [this] { wake_stale(); });
  }
  void wake_stale() {
    if (!stale_) return;
    world_.say("the stale daemon wakes up");
    world_.thaw(*stale_->life(), stale_->life());
    // Its own clock goes on; it must end by itself when it wants to write.
    world_.after(20 * kSecond, nullptr, [this] { stale_.reset(); });
  }
  [[nodiscard]] std::size_t machine_of(const Action& action) const { return (action.b >> 32) % machines_.size(); }
  void cut(const Action& action) {
    const auto dialled = site_.dialled.find(machine_of(action));
    if (dialled == site_.dialled.end()) return;
    const auto notice = [](std::uint64_t chance) { return chance % 6 == 0 ? 12 * kSecond : chance % (20 * kMs); };
    dialled->second->to_worker->cut(action.a, notice(action.b));
    dialled->second->to_daemon->cut(action.b, notice(action.a));
  }

  std::optional<RunKey> some_run(std::uint64_t chance, bool ended) const {
    std::vector<RunKey> keys;
    for (const auto& [key, run] : model_.runs()) {
      if (engine::is_final(run.state) == ended && !model_.created(key).parent) keys.push_back(key);
    }
    if (keys.empty()) return std::nullopt;
    return keys[chance % keys.size()];
  }

  void act(const Action& action) {
    world_.say("-- {}", to_string(action.what));
    const bool served = daemon_ && daemon_->ready();
    switch (action.what) {
      case What::submit:
        if (!served) return world_.after(100 * kMs, nullptr, [this, &action] { act(action); });
        return daemon_->submit(mains_[action.a % mains_.size()]);
      case What::cancel:
        if (const auto run = some_run(action.a, false); run && served) daemon_->cancel(*run);
        return;
      case What::retry:
        if (const auto run = some_run(action.a, true); run && served) {
          daemon_->retry(*run,
                         action.b % 2 == 0 ? std::optional(static_cast<std::int64_t>(action.b % 9)) : std::nullopt);
        }
        return;
      case What::decide:
        if (served) decide(action.a);
        return;
      case What::clock_step:
        return step_clock(action);
      case What::cut:
        return cut(action);
      case What::freeze_daemon:
        return freeze(action);
      case What::crash_daemon:
        return crash_daemon();
      case What::crash_before_commit:
        site_.crash_before_commit = true;
        return;
      case What::crash_after_commit:
        site_.crash_after_commit = true;
        return;
      case What::full_disk:
        Disk::fill_after(action.a % 3 == 0 ? 0 : action.a % 40);
        return world_.after(action.b % (6 * kSecond), nullptr, [] { Disk::empty(); });
      case What::crash_in_release:
        site_.crash_in_release = 1 + action.a % 3;
        return;
      default:
        return act_on_machine(action);
    }
  }
  void act_on_machine(const Action& action) {
    Machine& machine = *machines_[machine_of(action)];
    switch (action.what) {
      case What::crash_session:
        return machine.crash_session(action.a);
      case What::crash_in_session:
        return machine.crash_in_session(action.a);
      case What::stop_session:
        return machine.stop_session(action.a);
      case What::crash_supervisor:
        return machine.crash_supervisor();
      case What::crash_both:
        machine.crash_supervisor();
        return machine.crash_session(action.a);
      case What::reboot:
        return action.b % 2 == 0 ? machine.reboot(action.a) : machine.reboot_after_spawn(action.a);
      case What::slow_disk:
        site_.slow_until = world_.now() + 5 * kSecond;
        return;
      case What::duplicate:
        site_.duplicates = 1 + action.a % 20;
        return;
      case What::tear_journal:
        return machine.tear_journal(action.a);
      case What::full_worker_disk:
        return machine.fill_disk(action.a, action.b % (6 * kSecond));
      default:
        return;
    }
  }
  void decide(std::uint64_t chance) {
    std::vector<InstanceKey> waiting;
    for (const auto& [key, row] : model_.instances()) {
      if (row.phase == engine::InstancePhase::awaiting_approval) waiting.push_back(key);
    }
    if (!waiting.empty()) daemon_->decide(waiting[chance % waiting.size()], chance % 3 != 0);
  }
  void step_clock(const Action& action) {
    const auto by = static_cast<std::int64_t>(action.a % (6 * 3600 * kSecond)) - std::int64_t{3 * 3600} * 1'000'000;
    site_.clock_offset += by;
    machines_.front()->step_clock(by);  // the daemon's own; the others keep time
  }
  void heal() {
    world_.say("-- heal");
    healed_ = true;
    healed_at_ = world_.now();
    site_.crash_before_commit = site_.crash_after_commit = false;
    site_.crash_in_release = 0;
    site_.slow_until = 0;
    Disk::empty();
    site_.duplicates = 0;
    for (const auto& machine : machines_) machine->stop_faults();
    if (stale_) wake_stale();
    // A clock that was set back is set right again.
    machines_.front()->step_clock(-site_.clock_offset);
    site_.clock_offset = 0;
  }

  const Plan& plan_;
  World world_;
  Model model_;
  std::vector<std::unique_ptr<Machine>> machines_;
  Site site_;
  std::vector<std::string> mains_;
  std::unique_ptr<Daemon> daemon_, stale_;
  bool starting_ = false;
  bool healed_ = false;
  Time healed_at_ = 0;
  Time quiet_at_ = 0;
};

void empty(const std::string& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  std::filesystem::create_directories(folder);
}

}  // namespace

Outcome simulate(std::uint64_t seed, const Plan& plan, const std::string& folder, bool trace) {
  Disk::empty();
  empty(folder);
  Outcome outcome;
  try {
    Simulation simulation(seed, plan, folder, trace);
    try {
      simulation.run();
    } catch (const Violation& violation) {
      outcome.violation = violation;
    }
    outcome.steps = simulation.steps;
    outcome.digest = simulation.digest();
  } catch (const Violation& violation) {
    outcome.violation = violation;
  }
  return outcome;
}

Plan shrink(std::uint64_t seed, Plan plan, const std::string& folder, const std::string& invariant) {
  for (std::size_t size = std::max<std::size_t>(1, plan.actions.size() / 2);; size /= 2) {
    for (std::size_t at = 1; at < plan.actions.size();) {  // the first submits
      Plan less = plan;
      const auto first = less.actions.begin() + static_cast<std::ptrdiff_t>(at);
      less.actions.erase(first, first + static_cast<std::ptrdiff_t>(std::min(size, less.actions.size() - at)));
      const Outcome outcome = simulate(seed, less, folder, false);
      if (outcome.violation && outcome.violation->invariant == invariant) {
        plan = std::move(less);
      } else {
        at += size;
      }
    }
    if (size <= 1) return plan;
  }
}

}  // namespace baton::sim
