// Cron expressions and time zones as pure functions: nothing here reads the clock or keeps state.
#pragma once
#include <baton/base/result.hpp>
#include <baton/base/time.hpp>

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace baton::calendar {

// Five fields (minute hour day-of-month month day-of-week), names (jan, mon), lists, ranges, steps, and @hourly,
// @daily,
// @midnight, @weekly, @monthly, @yearly, @annually. As in Vixie cron a day matches if day-of-month or day-of-week does
// when both are restricted. 7 is Sunday.
class Cron {
 public:
  static Result<Cron> parse(std::string_view text);
  [[nodiscard]] bool matches_day(int year, unsigned month, unsigned day) const;

  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;      // 1..31
  std::bitset<13> months;    // 1..12
  std::bitset<7> weekdays;   // 0 = Sunday
  bool any_day = false;      // day-of-month is *
  bool any_weekday = false;  // day-of-week is *
};

bool is_time_zone(std::string_view name);
// The zone names, for "did you mean".
std::optional<std::string> nearest_time_zone(std::string_view name);

// The first instant strictly after `after` at which `cron` fires in `zone`; nullopt if there is none within 8 years
// (such as 30 February) or no such zone. Wall times that daylight saving skips fire at the first instant behind the
// gap, those that it repeats fire once, the first time — unless the hour field is a wildcard or a list of all hours, in
// which case the rule runs on elapsed time and each instant fires.
std::optional<TimePoint> next_after(const Cron& cron, std::string_view zone, TimePoint after);

}  // namespace baton::calendar
