// What is known of a run while it is followed: counts by state and what is going on, out of its summary and its events.
// No clock and no output.
#pragma once
#include <baton/views/views.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace baton::cli {

// The states of a task instance, in the order in which counts are shown.
inline constexpr std::array<std::string_view, 12> kTaskStates{
    "succeeded", "failed",  "upstream_failed", "cancelled",         "skipped", "running",
    "starting",  "backoff", "unreachable",     "awaiting_approval", "ready",   "waiting"};

using StateCounts = std::array<std::uint64_t, kTaskStates.size()>;
std::uint64_t count_of(const StateCounts& counts, std::string_view state);
std::uint64_t ended_of(const StateCounts& counts);
StateCounts counts_of(const std::map<std::string, std::uint64_t>& states);
// "4 succeeded, 1 failed, 2 waiting": states without an instance are left out.
std::string describe_counts(const StateCounts& counts);

class RunProgress {
 public:
  // With more instances in a matrix (or in all smaller tasks together) they are shown as counts, not one by one.
  static constexpr std::uint64_t kCrowdedMatrix = 200;
  static constexpr std::uint64_t kCrowdedRest = 1'000;

  // Instances that are counted together: a matrix, or a crowd of small tasks. Other tasks are in none.
  struct Group {
    std::string title;
    bool crowded = false;
    std::uint64_t total = 0;
    StateCounts counts{};  // of what has been heard of; the rest of `total` is waiting
  };
  struct Active {
    std::string name;  // with the sub-workflow's name before it, if it belongs to a child run
    std::string state;
    TimePoint since;
    std::uint32_t attempt = 0;
    std::size_t group = kNoGroup;
  };
  static constexpr std::size_t kNoGroup = ~std::size_t{0};

  // What one event meant.
  struct Change {
    std::string name;  // as in Active; empty for the run itself
    std::string state;
    std::string reason;
    std::uint32_t attempt = 0;
    TimePoint at;
    std::optional<Duration> elapsed;  // in the state before it, if that was an active one
    std::size_t group = kNoGroup;
    bool is_run = false;
    bool is_child = false;  // of a sub-workflow's run
    std::string run;        // the run it belongs to
    std::string instance;   // its name there
  };

  explicit RunProgress(const views::RunView& run);

  // nullopt: nothing that is shown (the same state again, a child run as such).
  std::optional<Change> apply(const views::EventView& event);
  // Totals out of a newer summary: a dynamic matrix has got its instances.
  void refresh(const views::RunView& run);
  // An event spoke of an instance that the totals do not cover.
  [[nodiscard]] bool needs_refresh() const { return needs_refresh_; }

  [[nodiscard]] const views::RunView& run() const { return run_; }  // state and times as the events tell
  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }
  [[nodiscard]] bool is_crowded(std::size_t group) const { return group != kNoGroup && groups_[group].crowded; }
  [[nodiscard]] std::uint64_t total() const;
  [[nodiscard]] const StateCounts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t ended() const { return ended_of(counts_); }
  // At most `limit` of what starts, runs or waits for something, oldest first; and how many there are in all.
  [[nodiscard]] std::vector<Active> active(std::size_t limit) const;
  [[nodiscard]] std::size_t active_size() const { return active_.size(); }
  // Columns that names need, within reason.
  [[nodiscard]] std::size_t name_columns() const { return name_columns_; }

 private:
  struct Task {
    std::uint64_t total = 0;
    std::uint64_t seen = 0;
    std::size_t group = kNoGroup;
  };
  void arrange();
  void apply_run(const views::EventView& event);
  void count(const std::string& key, Task& task, std::size_t state);

  views::RunView run_;
  std::unordered_map<std::string, Task> tasks_;
  std::vector<Group> groups_;
  std::size_t crowd_group_ = kNoGroup;  // of all small tasks together
  StateCounts counts_{};
  std::unordered_map<std::string, std::uint8_t> states_;  // instance → index in kTaskStates
  std::unordered_map<std::string, Active> active_;        // run/instance →
  std::size_t name_columns_ = 0;
  bool needs_refresh_ = false;
};

}  // namespace baton::cli
