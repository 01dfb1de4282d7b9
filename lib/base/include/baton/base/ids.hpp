// Identifiers that the compiler keeps apart.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

namespace baton {

// An integer that belongs to one kind of thing. `Tag` is never defined; it only makes the types different.
template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const StrongId&) const = default;

 private:
  Rep value_ = 0;
};

// A run's row number. It is given by the engine, counts from 1 and is never used again; users see the run's public id.
using RunKey = StrongId<struct RunKeyTag, std::uint64_t>;
// One try of one task instance, unique in a state directory for ever. Counts from 1.
using AttemptId = StrongId<struct AttemptIdTag, std::uint64_t>;
// A worker as the running daemon knows it: its index in the configuration.
using WorkerId = StrongId<struct WorkerIdTag, std::uint32_t>;
// A task's index in its WorkflowSpec::tasks.
using TaskIndex = StrongId<struct TaskIndexTag, std::uint32_t>;

// One instance of one task in one run; `index` counts through the task's matrix (0 without a matrix).
struct InstanceKey {
  RunKey run;
  TaskIndex task;
  std::uint32_t index = 0;
  auto operator<=>(const InstanceKey&) const = default;
};

}  // namespace baton

template <class Tag, class Rep>
struct std::hash<baton::StrongId<Tag, Rep>> {
  std::size_t operator()(baton::StrongId<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value()); }
};
