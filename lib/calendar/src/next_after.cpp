#include <baton/calendar/cron.hpp>

#include <algorithm>
#include <exception>

#include "time_zone.hpp"

namespace baton::calendar {
namespace {

using date::days;
using date::local_days;
using date::local_seconds;
using date::sys_seconds;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// From one 29 February to the next, over a year such as 2100 that is no leap year, and a day for the zone.
constexpr days kHorizon{8 * 365 + 3};

// The first wall time at or behind `from` that the fields name, on a day before `end`.
std::optional<local_seconds> next_wall(const Cron& cron, local_seconds from, local_days end) {
  for (local_days day = date::floor<days>(from); day < end; day += days(1)) {
    const date::year_month_day date(day);
    if (!cron.matches_day(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                          static_cast<unsigned>(date.day()))) {
      continue;
    }
    for (unsigned h = 0; h < cron.hours.size(); ++h) {
      if (!cron.hours[h] || day + hours(h + 1) <= from) continue;
      for (unsigned m = 0; m < cron.minutes.size(); ++m) {
        const local_seconds wall = day + hours(h) + minutes(m);
        if (cron.minutes[m] && wall >= from) return wall;
      }
    }
  }
  return std::nullopt;
}

local_seconds local(const Zone& zone, sys_seconds instant) {
  return local_seconds((instant + zone.at(instant).offset).time_since_epoch());
}

// Each wall time fires at its first instant. That instant grows with the wall time, so nothing that the clock showed
// before `after` can still be to come.
std::optional<sys_seconds> next_by_wall(const Cron& cron, const Zone& zone, sys_seconds after) {
  const local_seconds now = local(zone, after);
  const local_days end = date::floor<days>(now) + kHorizon;
  for (local_seconds from = now;;) {
    const std::optional<local_seconds> wall = next_wall(cron, from, end);
    if (!wall) return std::nullopt;
    const sys_seconds instant = zone.first_instant(*wall);
    if (instant > after) return instant;
    from = *wall + seconds(1);
  }
}

// Each instant fires at which the clock shows a wall time: one stretch of a constant offset after the other.
std::optional<sys_seconds> next_by_instant(const Cron& cron, const Zone& zone, sys_seconds after) {
  const sys_seconds end = after + kHorizon;
  for (sys_seconds from = after + seconds(1); from < end;) {
    const date::sys_info stretch = zone.at(from);
    const local_seconds begin((from + stretch.offset).time_since_epoch());
    const sys_seconds stretch_end = std::min(stretch.end, end);
    const local_seconds last((stretch_end + stretch.offset).time_since_epoch());
    if (const auto wall = next_wall(cron, begin, date::floor<days>(last) + days(1)); wall && *wall < last) {
      return sys_seconds((*wall - stretch.offset).time_since_epoch());
    }
    from = stretch_end;
  }
  return std::nullopt;
}

}  // namespace

std::optional<TimePoint> next_after(const Cron& cron, std::string_view zone_name, TimePoint after) {
  // Calendars end somewhere: years 1 to 9000, as seconds since 1970.
  constexpr std::chrono::sys_days kFirst{std::chrono::year(1) / 1 / 1};
  constexpr std::chrono::sys_days kLast{std::chrono::year(9000) / 1 / 1};
  if (after < kFirst || after > kLast) return std::nullopt;
  const std::optional<Zone> zone = Zone::find(zone_name);
  if (!zone) return std::nullopt;
  try {
    const sys_seconds now = std::chrono::floor<seconds>(after);
    const auto next = cron.hours.all() ? next_by_instant(cron, *zone, now) : next_by_wall(cron, *zone, now);
    if (!next) return std::nullopt;
    return TimePoint(*next);
  } catch (const std::exception&) {  // the zone's rules do not reach there
    return std::nullopt;
  }
}

}  // namespace baton::calendar
