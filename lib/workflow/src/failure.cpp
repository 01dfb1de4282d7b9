#include <fmt/format.h>
#include <baton/base/text.hpp>
#include <baton/workflow/failure.hpp>

#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace baton::workflow {
namespace {

constexpr std::array<std::pair<std::string_view, FailureKind>, 9> kKinds{
    {{"exit", FailureKind::exit},
     {"signal", FailureKind::signal},
     {"oom", FailureKind::oom},
     {"timeout", FailureKind::timeout},
     {"worker_lost", FailureKind::worker_lost},
     {"spawn_error", FailureKind::spawn_error},
     {"missing_output", FailureKind::missing_output},
     {"cancelled", FailureKind::cancelled},
     {"preempted", FailureKind::preempted}}};

bool has_detail(FailureKind kind) { return kind == FailureKind::exit || kind == FailureKind::signal; }

std::optional<std::int32_t> integer(std::string_view text, std::int32_t lowest, std::int32_t highest) {
  std::int32_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < lowest || value > highest)
    return std::nullopt;
  return value;
}

std::optional<std::int32_t> signal_number(std::string_view text) {
  if (text.starts_with("SIG")) text.remove_prefix(3);
  for (std::int32_t number = 1; number < NSIG; ++number) {
    if (text == signal_name(number)) return number;
  }
  return integer(text, 1, NSIG - 1);
}

Result<std::int32_t> parse_detail(FailureKind kind, std::string_view text, std::string_view whole) {
  const auto detail = kind == FailureKind::exit ? integer(text, 1, 255) : signal_number(text);
  if (detail) return *detail;
  if (kind == FailureKind::exit) {
    return fail(ErrorCode::invalid_argument, "`{}`: the exit code of a failure is a number from 1 to 255",
                escape_control(whole));
  }
  return fail(ErrorCode::invalid_argument, "`{}`: there is no signal `{}`", escape_control(whole),
              escape_control(text));
}

}  // namespace

std::string signal_name(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name != nullptr ? std::string(name) : fmt::format("{}", signal);
}

std::string to_string(FailureClass failure) {
  for (const auto& [name, kind] : kKinds) {
    if (kind != failure.kind) continue;
    if (kind == FailureKind::exit) return fmt::format("exit:{}", failure.detail);
    if (kind == FailureKind::signal) return fmt::format("signal:{}", signal_name(failure.detail));
    return std::string(name);
  }
  return "";
}

Result<FailurePattern> parse_failure_pattern(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view word = text.substr(0, colon);
  std::vector<std::string_view> names;
  for (const auto& [name, kind] : kKinds) {
    names.push_back(name);
    if (name != word) continue;
    if (colon == std::string_view::npos) return FailurePattern{kind, true, 0};
    if (!has_detail(kind)) {
      return fail(ErrorCode::invalid_argument, "`{}`: only `exit` and `signal` take a detail", escape_control(text));
    }
    const Result<std::int32_t> detail = parse_detail(kind, text.substr(colon + 1), text);
    if (!detail) return std::unexpected(detail.error());
    return FailurePattern{kind, false, *detail};
  }
  const auto near = nearest(word, names);
  return fail(ErrorCode::invalid_argument, "`{}` is not a failure class{}", escape_control(text),
              near ? fmt::format("; did you mean `{}`?", *near) : std::string{});
}

Result<FailureClass> parse_failure_class(std::string_view text) {
  if (text.empty()) return FailureClass{};
  const Result<FailurePattern> pattern = parse_failure_pattern(text);
  if (!pattern) return std::unexpected(pattern.error());
  if (has_detail(pattern->kind) && pattern->any_detail) {
    return fail(ErrorCode::invalid_argument, "`{}` needs its detail, such as exit:3 or signal:KILL",
                escape_control(text));
  }
  return FailureClass{pattern->kind, pattern->detail};
}

}  // namespace baton::workflow
