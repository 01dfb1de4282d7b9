// Why an attempt did not succeed: exactly one class, in the words of the language.
#pragma once
#include <baton/base/result.hpp>

#include <string>
#include <string_view>

namespace baton::workflow {

enum class FailureKind : std::uint8_t {
  none,    // it succeeded
  exit,    // detail: the exit code
  signal,  // detail: the signal number
  oom,
  timeout,
  worker_lost,
  spawn_error,     // it could not be started
  missing_output,  // it exited with 0 but did not write a declared output
  cancelled,
  preempted,
};

struct FailureClass {
  FailureKind kind = FailureKind::none;
  std::int32_t detail = 0;
  bool operator==(const FailureClass&) const = default;
};

// "exit:3", "signal:KILL", "oom", …; "" for none. parse_failure_class reads it back; signals may also be written as
// SIGKILL or 9.
std::string to_string(FailureClass failure);
Result<FailureClass> parse_failure_class(std::string_view text);
// "KILL" for 9; "34" for a number without a name.
std::string signal_name(int signal);

// An element of `retry.on`: `exit` matches every exit:N, `exit:75` one of them.
struct FailurePattern {
  FailureKind kind = FailureKind::none;
  bool any_detail = true;
  std::int32_t detail = 0;
  [[nodiscard]] bool matches(FailureClass failure) const {
    return failure.kind == kind && (any_detail || failure.detail == detail);
  }
  bool operator==(const FailurePattern&) const = default;
};
Result<FailurePattern> parse_failure_pattern(std::string_view text);

}  // namespace baton::workflow
