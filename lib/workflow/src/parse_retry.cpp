// `retry`: a number of retries, or a policy.
#include <fmt/format.h>

#include <limits>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::int64_t kMostRetries = 1'000;

enum class RetryKey { max_retries, delay, backoff, max_delay, jitter, on };
constexpr std::array<std::string_view, 6> kRetryKeys{"max_retries", "delay", "backoff", "max_delay", "jitter", "on"};
constexpr Choices<Backoff, 3> kBackoff{
    {{"constant", Backoff::constant}, {"linear", Backoff::linear}, {"exponential", Backoff::exponential}}};

std::optional<std::uint32_t> read_count(Problems& problems, Node node, std::string_view key) {
  const auto count = read_integer(problems, node, key, 0, kMostRetries);
  return count ? std::optional(static_cast<std::uint32_t>(*count)) : std::nullopt;
}

void read_pattern(Problems& problems, Node node, std::vector<FailurePattern>& patterns) {
  const auto text = read_string(problems, node, "on");
  if (!text) return;
  const auto pattern = parse_failure_pattern(*text);
  if (pattern) {
    patterns.push_back(*pattern);
    return;
  }
  problems.error(node.offset(), fmt::format("`on`: {}", pattern.error().message));
}

}  // namespace

RetryDraft read_retry(Problems& problems, Node node) {
  RetryDraft draft;
  if (node.is_scalar()) {
    if (as_integer(node)) {
      draft.max_retries = read_count(problems, node, "retry");
    } else {
      wrong_type(problems, node, "retry", "a number of retries, or a map with `max_retries`, `delay`, …");
    }
    return draft;
  }
  if (!expect_map(problems, node, "retry")) return draft;
  const auto fields = read_fields<RetryKey>(problems, node, "`retry`", kRetryKeys);
  if (fields.has(RetryKey::max_retries)) {
    draft.max_retries = read_count(problems, fields.value(RetryKey::max_retries), "max_retries").value_or(0);
  }
  if (fields.has(RetryKey::delay)) draft.delay = read_duration(problems, fields.value(RetryKey::delay), "delay");
  if (fields.has(RetryKey::backoff))
    draft.backoff = read_choice(problems, fields.value(RetryKey::backoff), "backoff", kBackoff);
  if (fields.has(RetryKey::max_delay)) {
    draft.max_delay = read_duration(problems, fields.value(RetryKey::max_delay), "max_delay");
  }
  if (fields.has(RetryKey::jitter))
    draft.jitter = read_number(problems, fields.value(RetryKey::jitter), "jitter", 0, 1);
  if (fields.has(RetryKey::on) && expect_list(problems, fields.value(RetryKey::on), "on")) {
    draft.on.emplace();
    for (const Node item : fields.value(RetryKey::on).items()) read_pattern(problems, item, *draft.on);
  }
  return draft;
}

RetryPolicy merge(const RetryDraft& own, const RetryDraft& base) {
  RetryPolicy policy;
  const auto choose = [](const auto& first, const auto& second) { return first ? first : second; };
  policy.max_retries = choose(own.max_retries, base.max_retries).value_or(0);
  policy.backoff = choose(own.backoff, base.backoff).value_or(Backoff::constant);
  // A delay that grows needs something to grow from.
  const Duration start = policy.backoff == Backoff::constant ? Duration(0) : std::chrono::seconds(1);
  policy.delay = choose(own.delay, base.delay).value_or(start);
  policy.max_delay = choose(own.max_delay, base.max_delay);
  policy.jitter = choose(own.jitter, base.jitter).value_or(0.0);
  policy.on = choose(own.on, base.on);
  return policy;
}

}  // namespace baton::workflow
