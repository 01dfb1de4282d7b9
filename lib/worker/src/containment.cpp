#include <baton/worker/clock.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/process_table.hpp>

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace baton::worker {
namespace {

// Every process of the host and whose it is. One that is not complete, because something could not be looked at,
// neither says that an attempt has nothing left nor makes a process one's for want of another's mark.
struct Census {
  std::uint64_t begun_ns = 0;
  bool complete = false;
  std::map<pid_t, ProcessStat> processes;
  std::unordered_map<pid_t, std::optional<AttemptId>> owners;
};

// Start times are known to the clock tick, that is, to ten milliseconds.
constexpr std::uint64_t kSlackNs = 20'000'000;

class SessionContainment final : public Containment {
 public:
  explicit SessionContainment(std::string slots_path)
      : slots_path_(std::move(slots_path)), self_(::getpid()), children_(self_) {}

  std::string_view name() const override { return "session"; }
  Enclosure enclose(std::uint32_t, std::int64_t) override { return {}; }
  void settle() override {}
  bool out_of_memory(AttemptId) const override { return false; }
  void leave() override {}

  void add(AttemptId attempt, const Record& started, bool adopted) override {
    mains_[attempt] = {started, adopted, 0, false};
    by_pid_[static_cast<pid_t>(started.pid)] = attempt;
  }
  bool remove(AttemptId attempt) override {
    const auto main = mains_.find(attempt);
    if (main == mains_.end()) return true;
    forget_pid(main->second, attempt);
    mains_.erase(main);
    std::erase_if(orphans_, [&](const auto& orphan) { return orphan.second.attempt == attempt; });
    return true;
  }
  void main_reaped(AttemptId attempt) override {
    const auto main = mains_.find(attempt);
    if (main == mains_.end()) return;
    forget_pid(main->second, attempt);
    main->second.reaped = true;
    if (main->second.ended_ns == 0) main->second.ended_ns = boot_ns();
  }
  void orphan_reaped(pid_t pid) override { orphans_.erase(pid); }

  bool may_be_left(AttemptId attempt) override;
  std::size_t signal_all(AttemptId attempt, int signal) override { return send({attempt}, signal); }
  void signal_each(const std::vector<AttemptId>& attempts, int signal) override { send(attempts, signal); }

 private:
  struct Main {
    Record started{RecordKind::started};
    bool adopted = false;
    std::uint64_t ended_ns = 0;  // 0: it runs
    bool reaped = false;
  };
  // A process that is known to be an attempt's although it is, or will be, a child of a subreaper.
  struct Orphan {
    std::optional<AttemptId> attempt;  // nullopt: it has scrubbed its environment, and could be several attempts'
    std::uint64_t start_ns = 0;
  };

  void forget_pid(const Main& main, AttemptId attempt) {
    const auto at = by_pid_.find(static_cast<pid_t>(main.started.pid));
    if (at != by_pid_.end() && at->second == attempt) by_pid_.erase(at);
  }
  bool has_unknown_child();
  std::size_t send(const std::vector<AttemptId>& attempts, int signal);
  // The main process is there. If it is not, another may have its pid, and a session of that number.
  static bool leads(const Census& census, const Record& started) {
    const auto leader = census.processes.find(static_cast<pid_t>(started.pid));
    return leader != census.processes.end() && same_process(started, leader->second.start_ns);
  }
  Census& take_census();
  std::optional<AttemptId> owner(Census& census, const ProcessStat& process, int depth) const;
  std::optional<AttemptId> by_mark(Census& census, const ProcessStat& process) const;
  std::optional<AttemptId> only_suspect(const ProcessStat& orphan, AttemptId ending) const;
  std::vector<ProcessStat> members(Census& census, AttemptId attempt);

  std::string slots_path_;
  pid_t self_;
  ChildList children_;
  std::map<AttemptId, Main> mains_;
  std::unordered_map<pid_t, AttemptId> by_pid_;  // main processes that are not reaped
  std::unordered_map<pid_t, Orphan> orphans_;
  Census census_;  // the last one taken
};

// Children that are neither main processes nor orphans we know. A child list that cannot be read counts as one.
bool SessionContainment::has_unknown_child() {
  if (!children_.read()) return true;
  for (const pid_t child : children_.pids()) {
    if (!by_pid_.contains(child) && !orphans_.contains(child)) return true;
  }
  return false;
}

Census& SessionContainment::take_census() {
  census_ = Census{boot_ns(), false, {}, {}};
  const ProcessList list = read_processes();
  census_.complete = list.complete;
  for (const ProcessStat& process : list.processes) census_.processes.emplace(process.pid, process);
  std::erase_if(orphans_, [&](const auto& orphan) {
    const auto process = census_.processes.find(orphan.first);
    if (process == census_.processes.end()) return list.complete;
    return process->second.start_ns != orphan.second.start_ns;
  });
  for (const auto& [pid, process] : census_.processes) owner(census_, process, 0);
  return census_;
}

std::optional<AttemptId> SessionContainment::by_mark(Census& census, const ProcessStat& process) const {
  // What began before every attempt of ours is nobody's; this spares reading the environment of most of the host.
  const auto began_later = [&](const auto& main) {
    return process.start_ns + kSlackNs >= main.second.started.start.boot_from_ns;
  };
  if (std::none_of(mains_.begin(), mains_.end(), began_later)) return std::nullopt;
  const auto environment = read_environment(process.pid);
  if (!environment) {
    census.complete = false;
    return std::nullopt;
  }
  const auto id = find_variable(*environment, kMarkerVariable);
  const auto scratch = find_variable(*environment, kScratchVariable);
  if (!id || !scratch || !scratch->starts_with(slots_path_ + "/")) return std::nullopt;
  std::uint64_t value = 0;
  if (std::from_chars(id->data(), id->data() + id->size(), value).ec != std::errc()) return std::nullopt;
  return AttemptId(value);
}

std::optional<AttemptId> SessionContainment::owner(Census& census, const ProcessStat& process, int depth) const {
  constexpr int kDepth = 4096;
  if (process.pid == self_ || process.pid <= 1 || depth > kDepth) return std::nullopt;
  if (const auto known = census.owners.find(process.pid); known != census.owners.end()) return known->second;
  std::optional<AttemptId> result;
  const auto main = by_pid_.find(process.pid);
  const auto leader = by_pid_.find(process.session);
  const auto orphan = orphans_.find(process.pid);
  if (main != by_pid_.end() && same_process(mains_.at(main->second).started, process.start_ns)) {
    result = main->second;
  } else if (orphan != orphans_.end() && orphan->second.attempt) {
    result = orphan->second.attempt;
  } else if (leader != by_pid_.end() && leads(census, mains_.at(leader->second).started)) {
    result = leader->second;
  } else {
    const auto parent = census.processes.find(process.parent);
    if (parent != census.processes.end()) result = owner(census, parent->second, depth + 1);
    if (!result) result = by_mark(census, process);
  }
  census.owners[process.pid] = result;
  return result;
}

// An orphan without a mark belongs to one of the attempts that were running when it began. It is ended with the last.
std::optional<AttemptId> SessionContainment::only_suspect(const ProcessStat& orphan, AttemptId ending) const {
  for (const auto& [attempt, main] : mains_) {
    if (attempt != ending && !main.adopted && main.ended_ns == 0 &&
        main.started.start.boot_from_ns <= orphan.start_ns) {
      return std::nullopt;
    }
  }
  return ending;
}

std::vector<ProcessStat> SessionContainment::members(Census& census, AttemptId attempt) {
  const Main& main = mains_.at(attempt);
  std::vector<ProcessStat> found;
  for (const auto& [pid, process] : census.processes) {
    std::optional<AttemptId>& its_owner = census.owners[pid];
    const bool is_orphan = process.parent == self_ && !by_pid_.contains(pid);
    if (is_orphan && !its_owner && main.ended_ns != 0 && !main.adopted && census.complete) {
      its_owner = only_suspect(process, attempt);
    }
    if (is_orphan) orphans_[pid] = {its_owner, process.start_ns};
    if (!process.living() || its_owner != attempt) continue;
    found.push_back(process);
    // When its parent dies it will be a subreaper's child; its ancestry would be lost then.
    if (!by_pid_.contains(pid)) orphans_[pid] = {attempt, process.start_ns};
  }
  return found;
}

bool SessionContainment::may_be_left(AttemptId attempt) {
  const auto at = mains_.find(attempt);
  if (at == mains_.end()) return false;
  Main& main = at->second;
  if (main.ended_ns == 0) main.ended_ns = boot_ns();
  if (!main.adopted) {
    // Whatever outlives its main process hangs below a direct child of ours.
    const auto concerns = [&](const auto& orphan) {
      return !orphan.second.attempt || orphan.second.attempt == attempt;
    };
    if (std::none_of(orphans_.begin(), orphans_.end(), concerns) && !has_unknown_child()) return false;
  }
  // Who is not there after the end will not come: processes come from processes. So an older census can acquit.
  if (census_.complete && census_.begun_ns > main.ended_ns && members(census_, attempt).empty()) return false;
  Census& census = take_census();
  return !census.complete || !members(census, attempt).empty();
}

// The number of those seen living, of all the attempts.
std::size_t SessionContainment::send(const std::vector<AttemptId>& attempts, int signal) {
  struct Target {
    AttemptId attempt;
    pid_t group = 0;  // 0: its leader's pid may be somebody else's
  };
  std::vector<Target> targets;
  for (const AttemptId attempt : attempts) {
    const auto main = mains_.find(attempt);
    if (main == mains_.end()) continue;
    const bool ours = !main->second.reaped && !main->second.adopted;
    targets.push_back({attempt, ours ? static_cast<pid_t>(main->second.started.pid) : 0});
    // The whole process group in one step, while its leader's pid cannot be anybody else's.
    if (ours) ::kill(-targets.back().group, signal);
  }
  const bool once = signal != SIGKILL;
  std::set<std::pair<pid_t, std::uint64_t>> signalled;
  std::size_t living = 0;
  // What forks while it is being killed is found in the next round; a fork bomb's rest is left to the caller's next
  // call.
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds && !targets.empty(); ++round) {
    bool fresh = false;
    living = 0;
    Census& census = take_census();
    for (const auto& [attempt, group] : targets) {
      for (const ProcessStat& process : members(census, attempt)) {
        ++living;
        if (!signalled.emplace(process.pid, process.start_ns).second) continue;
        fresh = true;
        if (once && group != 0 && ::getpgid(process.pid) == group) continue;
        signal_process(process.pid, process.start_ns, signal);
      }
    }
    if (!fresh || once) break;
  }
  return living;
}

}  // namespace

std::unique_ptr<Containment> make_session_containment(std::string slots_path) {
  return std::make_unique<SessionContainment>(std::move(slots_path));
}

}  // namespace baton::worker
