#include "codec.hpp"

#include <baton/base/limits.hpp>

#include <algorithm>
#include <limits>

namespace baton::store {
namespace {

template <class Enum>
std::optional<Enum> in_range(std::int64_t number, Enum last) {
  if (number < 0 || number > static_cast<std::int64_t>(last)) return std::nullopt;
  return static_cast<Enum>(number);
}

template <class Enum>
std::string text_of(std::optional<Enum> value) {
  return value ? std::string(to_string(*value)) : "unknown";
}

template <class Enum>
std::optional<Enum> parse_word(std::string_view text, Enum last) {
  for (int number = 0; number <= static_cast<int>(last); ++number) {
    if (to_string(static_cast<Enum>(number)) == text) return static_cast<Enum>(number);
  }
  return std::nullopt;
}

// Copying and printing a value recurse, so a row nested deeper than anything Baton writes must not become one.
constexpr int kDepth = 4 * static_cast<int>(limits::kJsonDepth);

// The depth if brackets in strings counted too: cheap, and never too small.
int bracket_depth(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return deepest;
}

}  // namespace

std::optional<engine::RunState> run_state(std::int64_t number) { return in_range(number, engine::RunState::cancelled); }
std::optional<engine::InstancePhase> instance_phase(std::int64_t number) {
  return in_range(number, engine::InstancePhase::cancelled);
}
std::optional<engine::AttemptState> attempt_state(std::int64_t number) {
  return in_range(number, engine::AttemptState::cancelled);
}

std::optional<workflow::FailureClass> failure_class(std::int64_t kind, std::int64_t detail) {
  const auto known = in_range(kind, workflow::FailureKind::preempted);
  if (!known || detail < std::numeric_limits<std::int32_t>::min() ||
      detail > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return workflow::FailureClass{*known, static_cast<std::int32_t>(detail)};
}

std::string run_state_text(std::int64_t number) { return text_of(run_state(number)); }
std::string phase_text(std::int64_t number) { return text_of(instance_phase(number)); }
std::string attempt_state_text(std::int64_t number) { return text_of(attempt_state(number)); }

std::string failure_text(std::int64_t kind, std::int64_t detail) {
  const auto known = failure_class(kind, detail);
  return known ? workflow::to_string(*known) : "unknown";
}

std::optional<engine::RunState> parse_run_state(std::string_view text) {
  return parse_word(text, engine::RunState::cancelled);
}
std::optional<engine::InstancePhase> parse_phase(std::string_view text) {
  return parse_word(text, engine::InstancePhase::cancelled);
}

bool ends_attempt(std::int64_t phase, std::int64_t attempt_state) {
  using enum engine::InstancePhase;
  switch (static_cast<engine::AttemptState>(attempt_state)) {
    case engine::AttemptState::succeeded:
      return phase == static_cast<int>(succeeded);
    case engine::AttemptState::failed:
      return phase == static_cast<int>(failed) || phase == static_cast<int>(backoff);
    case engine::AttemptState::cancelled:
      return phase == static_cast<int>(cancelled);
    default:
      return false;
  }
}

std::optional<Duration> time_taken(std::optional<TimePoint> from, std::optional<TimePoint> to) {
  if (!from || !to || *from < TimePoint{} || *to < *from) return std::nullopt;
  return *to - *from;
}

std::string dump(const Value& value) { return value.dump(-1, ' ', false, Value::error_handler_t::replace); }
std::string dump(const std::map<std::string, std::string>& texts) { return texts.empty() ? "{}" : dump(Value(texts)); }

std::string dump(const std::vector<TaskIndex>& tasks) {
  if (tasks.empty()) return {};
  Value numbers = Value::array();
  for (const TaskIndex task : tasks) numbers.push_back(task.value());
  return dump(numbers);
}

std::optional<Value> parse_json(std::string_view text) {
  Value value;
  bool too_deep = false;
  if (bracket_depth(text) <= kDepth) {
    value = Value::parse(text, nullptr, false);
  } else {
    const auto watch = [&](int depth, Value::parse_event_t, Value&) {
      too_deep = too_deep || depth > kDepth;
      return !too_deep;
    };
    value = Value::parse(text, watch, false);
  }
  if (value.is_discarded() || too_deep) return std::nullopt;
  return value;
}

std::optional<Value> parse_object(std::string_view text) {
  auto value = parse_json(text);
  if (!value || !value->is_object()) return std::nullopt;
  return value;
}

std::optional<std::map<std::string, std::string>> parse_texts(std::string_view text) {
  if (text == "{}") return std::map<std::string, std::string>{};
  const auto value = parse_object(text);
  if (!value) return std::nullopt;
  std::map<std::string, std::string> texts;
  for (const auto& [name, entry] : value->items()) {
    if (!entry.is_string()) return std::nullopt;
    texts.emplace(name, entry.get<std::string>());
  }
  return texts;
}

std::optional<std::vector<TaskIndex>> parse_needs(std::string_view text, std::size_t tasks) {
  std::vector<TaskIndex> needs;
  if (text.empty()) return needs;
  const auto value = parse_json(text);
  if (!value || !value->is_array()) return std::nullopt;
  for (const Value& entry : *value) {
    if (!entry.is_number_unsigned() || entry.get<std::uint64_t>() >= tasks) return std::nullopt;
    needs.emplace_back(entry.get<std::uint32_t>());
  }
  return needs;
}

}  // namespace baton::store
