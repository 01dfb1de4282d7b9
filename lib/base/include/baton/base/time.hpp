// Time as Baton stores it: UTC in microseconds. Nothing here reads a clock.
#pragma once
#include <baton/base/result.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace baton {

using Duration = std::chrono::microseconds;
using TimePoint = std::chrono::sys_time<Duration>;

// RFC 3339 in UTC with milliseconds: 2026-03-29T00:59:59.123Z.
std::string format_rfc3339(TimePoint time);
// Any RFC 3339 time with an offset or Z; sub-microsecond digits are cut.
Result<TimePoint> parse_rfc3339(std::string_view text);

// The language's durations: one or more of `NUMBERd NUMBERh NUMBERm NUMBERs NUMBERms`, largest unit first, each unit
// once, without spaces; a bare number is an error except 0. At most 10 years.
Result<Duration> parse_duration(std::string_view text);
// The shortest exact form that parse_duration reads back: "1h30m", "2d", "1s500ms", "1.5ms", "0s". Negative ones, which
// it does not read, have a `-` in front.
std::string format_duration(Duration duration);
// For people: "0.4s", "12s", "3m05s", "2h07m", "4d03h".
std::string format_elapsed(Duration duration);

constexpr double to_seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace baton
