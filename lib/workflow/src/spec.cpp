#include <baton/workflow/spec.hpp>

#include <algorithm>
#include <cmath>

namespace baton::workflow {
namespace {

constexpr Duration kLongestDelay = std::chrono::hours(24 * 365);

// SplitMix64 (https://prng.di.unimi.it/splitmix64.c): one well-mixed number in [0, 1) from a seed.
double uniform(std::uint64_t seed) {
  seed += 0x9e3779b97f4a7c15;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
  seed ^= seed >> 31;
  return static_cast<double>(seed >> 11) * 0x1p-53;
}

}  // namespace

std::string_view to_string(ParamType type) {
  switch (type) {
    case ParamType::string:
      return "string";
    case ParamType::integer:
      return "int";
    case ParamType::number:
      return "number";
    case ParamType::boolean:
      return "bool";
    case ParamType::duration:
      return "duration";
  }
  return "string";
}

bool RetryPolicy::covers(FailureClass failure) const {
  if (failure.kind == FailureKind::none) return false;
  if (!on) return failure.kind != FailureKind::cancelled && failure.kind != FailureKind::missing_output;
  return std::any_of(on->begin(), on->end(), [&](const FailurePattern& pattern) { return pattern.matches(failure); });
}

Duration RetryPolicy::longest_delay(std::uint32_t retry) const {
  const double first = static_cast<double>(delay.count());
  double wait = first;
  if (backoff == Backoff::linear) wait = first * retry;
  if (backoff == Backoff::exponential) wait = std::ldexp(first, static_cast<int>(std::min(retry, 1000u)) - 1);
  return Duration(std::llround(std::min(wait, static_cast<double>(max_delay.value_or(kLongestDelay).count()))));
}

Duration RetryPolicy::delay_before(std::uint32_t retry, std::uint64_t seed) const {
  const double part = 1 - jitter * uniform(seed ^ (std::uint64_t{retry} << 32));
  return Duration(std::llround(static_cast<double>(longest_delay(retry).count()) * part));
}

std::optional<TaskIndex> WorkflowSpec::find(std::string_view id) const {
  if (by_id.size() == tasks.size()) {
    const auto found =
        std::lower_bound(by_id.begin(), by_id.end(), id,
                         [this](std::uint32_t task, std::string_view key) { return tasks[task].id < key; });
    return found != by_id.end() && tasks[*found].id == id ? std::optional(TaskIndex(*found)) : std::nullopt;
  }
  const auto found = std::find_if(tasks.begin(), tasks.end(), [id](const TaskSpec& task) { return task.id == id; });
  if (found == tasks.end()) return std::nullopt;
  return TaskIndex(static_cast<std::uint32_t>(found - tasks.begin()));
}

std::string instance_name(const TaskSpec& task, const MatrixCombos* combos, std::uint32_t index) {
  if (combos == nullptr || index >= combos->size()) return task.id;
  return fmt::format("{}[{}]", task.id, combos->label(index));
}

}  // namespace baton::workflow
