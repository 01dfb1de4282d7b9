// Which groups have instances that could start, in the order of the language: priority, then the run's age, then the
// task's place on the critical path.
//
// Groups are kept apart by what their attempts take (their shape), so that one look per shape finds everything that
// fits: when the first of a shape does not fit, no other one does. A group that waits for something else than a worker
// is parked under that thing and is woken when that may be free.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/workflow/spec.hpp>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace baton::engine {

// What an attempt asks of a worker; of a `uses` task, what it asks of the limit of active runs.
struct Shape {
  workflow::Resources resources;
  workflow::RunsOn runs_on;
  std::size_t run_depth = 0;  // of the run that a `uses` task starts; 0: it is no such task
  [[nodiscard]] bool on_worker() const { return run_depth == 0; }
  auto operator<=>(const Shape&) const = default;
};

struct GroupKey {
  RunKey run;
  TaskIndex task;
  auto operator<=>(const GroupKey&) const = default;
};

// What a group can wait for beside a worker.
struct Blocker {
  enum class Kind : std::uint8_t { task_limit, run_limit, pool, environment };
  Kind kind = Kind::task_limit;
  GroupKey group;    // task_limit: itself; run_limit: its run, task 0
  std::string name;  // pool, environment
  auto operator<=>(const Blocker&) const = default;
};

// Where a group stands in the queue.
struct Rank {
  std::int64_t priority = 0;  // higher first
  RunKey run;                 // lower, so older, first
  std::uint32_t height = 0;   // higher first
  TaskIndex task;
  std::strong_ordering operator<=>(const Rank& other) const;
  bool operator==(const Rank&) const = default;
};

class ReadyQueue {
 public:
  std::uint32_t intern(const Shape& shape);
  [[nodiscard]] const Shape& shape(std::uint32_t id) const { return *shapes_[id]; }

  void push(std::uint32_t shape, const Rank& rank);
  void erase(std::uint32_t shape, const Rank& rank);
  // Queued → parked, and back.
  void park(const Blocker& blocker, std::uint32_t shape, const Rank& rank);
  void wake(const Rank& rank);
  // Removes a parked group.
  void unpark(const Rank& rank);

  struct Head {
    std::uint32_t shape;
    Rank rank;
  };
  // The first queued group whose shape is not in `exhausted` (indexed by shape), and the first that `blocker` holds.
  [[nodiscard]] std::optional<Head> first(const std::vector<bool>& exhausted) const;
  [[nodiscard]] std::optional<Head> first_parked(const Blocker& blocker, const std::vector<bool>& exhausted) const;
  [[nodiscard]] std::size_t shapes() const { return shapes_.size(); }
  [[nodiscard]] bool is_queued(std::uint32_t shape, const Rank& rank) const { return queued_[shape].contains(rank); }
  [[nodiscard]] std::optional<Blocker> parked_on(const Rank& rank) const;
  [[nodiscard]] bool holds_any(const Blocker& blocker) const { return parked_.contains(blocker); }
  // What holds any group.
  [[nodiscard]] std::vector<Blocker> blockers() const;
  [[nodiscard]] bool any_queued() const { return !filled_.empty(); }

 private:
  using ByShape = std::map<std::uint32_t, std::set<Rank>>;  // none of them empty
  struct Place {
    std::map<Blocker, ByShape>::iterator blocker;
    std::uint32_t shape;
  };

  std::map<Shape, std::uint32_t> ids_;
  std::vector<const Shape*> shapes_;    // into ids_
  std::vector<std::set<Rank>> queued_;  // by shape
  std::set<std::uint32_t> filled_;      // shapes of which any group is queued
  std::map<Blocker, ByShape> parked_;   // none of them empty
  std::map<Rank, Place> places_;        // of what is parked
};

}  // namespace baton::engine
