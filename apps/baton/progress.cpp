#include "progress.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>

#include "exit_codes.hpp"
#include "style.hpp"

namespace baton::cli {
namespace {

constexpr std::size_t kEndedStates = 5;  // the first of kTaskStates
constexpr std::size_t kLongestNameColumns = 40;

std::size_t index_of(std::string_view state) {
  const auto* found = std::find(kTaskStates.begin(), kTaskStates.end(), state);
  return found == kTaskStates.end() ? kTaskStates.size() - 1 : static_cast<std::size_t>(found - kTaskStates.begin());
}

// Something goes on that a person may want to watch.
bool is_active_state(std::string_view state) {
  return state == "running" || state == "starting" || state == "backoff" || state == "unreachable" ||
         state == "awaiting_approval";
}

std::uint64_t sum(const std::map<std::string, std::uint64_t>& states) {
  std::uint64_t total = 0;
  for (const auto& [state, count] : states) total += count;
  return total;
}

}  // namespace

std::uint64_t count_of(const StateCounts& counts, std::string_view state) { return counts[index_of(state)]; }

std::uint64_t ended_of(const StateCounts& counts) {
  std::uint64_t ended = 0;
  for (std::size_t i = 0; i < kEndedStates; ++i) ended += counts[i];
  return ended;
}

StateCounts counts_of(const std::map<std::string, std::uint64_t>& states) {
  StateCounts counts{};
  for (const auto& [state, count] : states) counts[index_of(state)] += count;
  return counts;
}

std::string describe_counts(const StateCounts& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[i], kTaskStates[i]);
  }
  return text;
}

RunProgress::RunProgress(const views::RunView& run) : run_(run) { arrange(); }

// Totals and groups out of the summary. What events have told is kept.
void RunProgress::arrange() {
  std::uint64_t rest = 0;
  for (const views::TaskSummary& summary : run_.summary) {
    Task& task = tasks_[summary.task];
    task.total = std::max(sum(summary.states), task.seen);
    if (task.total <= kCrowdedMatrix) rest += task.total;
    name_columns_ =
        std::max(name_columns_, std::min(summary.task.size() + (summary.is_matrix ? 8 : 0), kLongestNameColumns));
  }
  const bool crowd = rest > kCrowdedRest;
  for (Group& group : groups_) group.total = 0;
  for (const views::TaskSummary& summary : run_.summary) {
    Task& task = tasks_[summary.task];
    if (!summary.is_matrix && !crowd) continue;
    if (task.group == kNoGroup && crowd && task.total <= kCrowdedMatrix) {
      if (crowd_group_ == kNoGroup) {
        crowd_group_ = groups_.size();
        groups_.push_back({"all tasks", true, 0, {}});
      }
      task.group = crowd_group_;
    } else if (task.group == kNoGroup) {
      task.group = groups_.size();
      groups_.push_back({summary.task, false, 0, {}});
    }
    Group& group = groups_[task.group];
    group.total += task.total;
    group.crowded = group.crowded || group.total > kCrowdedMatrix;
  }
  needs_refresh_ = false;
}

void RunProgress::refresh(const views::RunView& run) {
  run_.summary = run.summary;
  arrange();
}

std::uint64_t RunProgress::total() const {
  std::uint64_t total = 0;
  for (const auto& [id, task] : tasks_) total += task.total;
  return total;
}

void RunProgress::apply_run(const views::EventView& event) {
  run_.state = event.state;
  run_.reason = event.reason;
  if (event.state == "running" && !run_.started_at) run_.started_at = event.at;
  if (is_final_run_state(event.state)) run_.ended_at = event.at;
}

void RunProgress::count(const std::string& key, Task& task, std::size_t state) {
  Group* group = task.group == kNoGroup ? nullptr : &groups_[task.group];
  const auto [place, is_new] = states_.try_emplace(key, static_cast<std::uint8_t>(state));
  if (is_new) {
    if (++task.seen > task.total) {
      if (group != nullptr) group->total += task.seen - task.total;
      task.total = task.seen;
      needs_refresh_ = true;
    }
  } else {
    --counts_[place->second];
    if (group != nullptr) --group->counts[place->second];
    place->second = static_cast<std::uint8_t>(state);
  }
  ++counts_[state];
  if (group != nullptr) ++group->counts[state];
}

std::optional<RunProgress::Change> RunProgress::apply(const views::EventView& event) {
  const bool is_child = !event.run.empty() && event.run != run_.id;
  Change change{"",       event.state,         event.reason, event.attempt, event.at,  std::nullopt,
                kNoGroup, event.type == "run", is_child,     event.run,     event.name};
  if (change.is_run) {
    if (is_child || event.state == run_.state) return std::nullopt;
    apply_run(event);
    return change;
  }
  change.name = is_child ? fmt::format("{}/{}", event.workflow, event.name) : event.name;
  name_columns_ = std::max(name_columns_, std::min(columns_of(escape_control(change.name)), kLongestNameColumns));
  if (!is_child) {
    Task& task = tasks_[event.task];
    change.group = task.group;
    count(event.name, task, index_of(event.state));
  }
  const std::string key = is_child ? fmt::format("{}/{}", event.run, event.name) : event.name;
  const auto before = active_.find(key);
  if (before != active_.end()) {
    if (before->second.state == event.state && before->second.attempt == event.attempt) return std::nullopt;
    change.elapsed = event.at - before->second.since;
  }
  if (event.elapsed) change.elapsed = event.elapsed;  // the daemon may have heard of it late
  if (is_active_state(event.state)) {
    active_[key] = {change.name, event.state, event.at, event.attempt, change.group};
  } else if (before != active_.end()) {
    active_.erase(before);
  }
  return change;
}

std::vector<RunProgress::Active> RunProgress::active(std::size_t limit) const {
  std::vector<const Active*> all;
  all.reserve(active_.size());
  for (const auto& [key, active] : active_) all.push_back(&active);
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(limit, all.size()));
  std::partial_sort(all.begin(), end, all.end(), [](const Active* a, const Active* b) {
    return a->since != b->since ? a->since < b->since : a->name < b->name;
  });
  std::vector<Active> result;
  for (auto at = all.begin(); at != end; ++at) result.push_back(**at);
  return result;
}

}  // namespace baton::cli
