#include <baton/base/time.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace baton {
namespace {

using std::chrono::day;
using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::month;
using std::chrono::seconds;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr Duration kLongest = days(3660);

// Reads exactly `digits` decimal digits at `at` and moves past them.
bool read_digits(std::string_view text, std::size_t& at, std::size_t digits, int& value) {
  if (text.size() < at + digits) return false;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  std::from_chars(text.data() + at, text.data() + at + digits, value);
  at += digits;
  return true;
}

bool read_char(std::string_view text, std::size_t& at, std::string_view any_of) {
  if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos) return false;
  ++at;
  return true;
}

// The fraction after the seconds, if there is one.
bool read_fraction(std::string_view text, std::size_t& at, Duration& fraction) {
  if (at >= text.size() || text[at] != '.') return true;
  ++at;
  const std::size_t first = at;
  std::int64_t micros = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (at - first < 6) micros = micros * 10 + (text[at] - '0');
  }
  if (at == first) return false;
  for (std::size_t digits = at - first; digits < 6; ++digits) micros *= 10;
  fraction = Duration(micros);
  return true;
}

bool read_offset(std::string_view text, std::size_t& at, Duration& offset) {
  if (read_char(text, at, "Zz")) return true;
  if (at >= text.size() || (text[at] != '+' && text[at] != '-')) return false;
  const bool west = text[at++] == '-';
  int hour = 0;
  int minute = 0;
  if (!read_digits(text, at, 2, hour) || !read_char(text, at, ":") || !read_digits(text, at, 2, minute)) return false;
  if (hour > 23 || minute > 59) return false;
  offset = hours(hour) + minutes(minute);
  if (west) offset = -offset;
  return true;
}

struct Unit {
  std::string_view name;
  Duration length;
};
constexpr std::array<Unit, 5> kUnits{
    {{"d", days(1)}, {"h", hours(1)}, {"m", minutes(1)}, {"s", seconds(1)}, {"ms", milliseconds(1)}}};

}  // namespace

std::string format_rfc3339(TimePoint time) {
  const auto date = floor<days>(time);
  const year_month_day ymd(date);
  const auto ms = floor<milliseconds>(time - date).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()), ms / 3'600'000,
                     ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

Result<TimePoint> parse_rfc3339(std::string_view text) {
  std::size_t at = 0;
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  Duration fraction{0};
  Duration offset{0};
  const bool shaped = read_digits(text, at, 4, y) && read_char(text, at, "-") && read_digits(text, at, 2, mo) &&
                      read_char(text, at, "-") && read_digits(text, at, 2, d) && read_char(text, at, "Tt ") &&
                      read_digits(text, at, 2, h) && read_char(text, at, ":") && read_digits(text, at, 2, mi) &&
                      read_char(text, at, ":") && read_digits(text, at, 2, s) && read_fraction(text, at, fraction) &&
                      read_offset(text, at, offset) && at == text.size();
  const year_month_day ymd(year(y), month(static_cast<unsigned>(mo)), day(static_cast<unsigned>(d)));
  if (!shaped || !ymd.ok() || h > 23 || mi > 59 || s > 60) {
    return fail(ErrorCode::invalid_argument, "`{}` is not an RFC 3339 time such as 2026-03-29T01:30:00Z", text);
  }
  return TimePoint(std::chrono::sys_days(ymd)) + hours(h) + minutes(mi) + seconds(s) + fraction - offset;
}

Result<Duration> parse_duration(std::string_view text) {
  const auto wrong = [&] {
    return fail(ErrorCode::invalid_argument, "`{}` is not a duration such as 10s, 5m, 1h30m or 2d", text);
  };
  if (text == "0") return Duration{0};
  if (text.empty()) return wrong();
  Duration total{0};
  std::size_t unit = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    double number = 0;
    const std::size_t end = text.find_first_not_of("0123456789.", at);
    if (end == std::string_view::npos || end == at) return wrong();
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, number, std::chars_format::fixed);
    if (error != std::errc{} || stop != text.data() + end) return wrong();
    std::size_t name_end = end;
    while (name_end < text.size() && text[name_end] >= 'a' && text[name_end] <= 'z') ++name_end;
    const std::string_view name = text.substr(end, name_end - end);
    while (unit < kUnits.size() && kUnits[unit].name != name) ++unit;
    if (unit == kUnits.size()) return wrong();
    const double micros = number * static_cast<double>(kUnits[unit].length.count());
    if (micros > static_cast<double>(kLongest.count())) {
      return fail(ErrorCode::limit, "`{}` is longer than the 10 years a duration may last", text);
    }
    total += Duration(std::llround(micros));
    ++unit;
    at = name_end;
  }
  if (total > kLongest) return fail(ErrorCode::limit, "`{}` is longer than the 10 years a duration may last", text);
  return total;
}

std::string format_duration(Duration duration) {
  if (duration.count() == 0) return "0s";
  std::string text;
  if (duration < Duration{0}) {
    text = "-";
    duration = -duration;
  }
  for (const Unit& unit : kUnits) {
    if (unit.length == milliseconds(1) && duration % unit.length != Duration{0}) {
      // Microseconds are decimals of the last unit, which is why all digits are there to be read back.
      text += fmt::format("{}.{:03}", duration / unit.length, (duration % unit.length).count());
      text.erase(text.find_last_not_of('0') + 1);
      return text + "ms";
    }
    const auto count = duration / unit.length;
    if (count == 0) continue;
    text += fmt::format("{}{}", count, unit.name);
    duration -= count * unit.length;
  }
  return text;
}

std::string format_elapsed(Duration duration) {
  if (duration < Duration{0}) duration = Duration{0};
  if (duration < milliseconds(9'950)) return fmt::format("{:.1f}s", to_seconds(duration));  // 10.0s is written 10s
  const auto total = std::max(seconds(10), std::chrono::duration_cast<seconds>(duration)).count();
  if (total < 60) return fmt::format("{}s", total);
  if (total < 3600) return fmt::format("{}m{:02}s", total / 60, total % 60);
  if (total < 86400) return fmt::format("{}h{:02}m", total / 3600, total / 60 % 60);
  return fmt::format("{}d{:02}h", total / 86400, total / 3600 % 24);
}

}  // namespace baton
