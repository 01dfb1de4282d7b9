// Cron fields and time zones. Input: the cron text, the zone and a time in microseconds, each on a line.
#include <date/tz.h>
#include <baton/calendar/cron.hpp>

#include <charconv>

#include "../target.hpp"

namespace baton::fuzz {
namespace {

using std::chrono::seconds;

// The fields name the wall time at `at`; or daylight saving has just skipped the one that they name.
void check_match(const calendar::Cron& cron, const std::string& zone, TimePoint at) {
  const auto instant = std::chrono::floor<seconds>(at);
  holds(instant == at, "a schedule fires at a full second");
  const date::sys_info info = date::locate_zone(zone)->get_info(instant);
  const date::local_seconds wall((instant + info.offset).time_since_epoch());
  const auto day = date::floor<date::days>(wall);
  const date::year_month_day date(day);
  const date::hh_mm_ss<seconds> time(wall - day);
  const bool matches = cron.minutes[static_cast<std::size_t>(time.minutes().count())] &&
                       cron.hours[static_cast<std::size_t>(time.hours().count())] && time.seconds().count() == 0 &&
                       cron.matches_day(static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                                        static_cast<unsigned>(date.day()));
  holds(matches || info.begin == instant, "it fires when its fields say, or behind a gap");
}

}  // namespace

void cron(std::string_view input) {
  const auto parsed = calendar::Cron::parse(take_until(input, '\n'));
  const std::string zone(take_until(input, '\n'));
  std::int64_t micros = 0;
  std::from_chars(input.data(), input.data() + input.size(), micros);
  if (!calendar::is_time_zone(zone)) {
    calendar::nearest_time_zone(zone);
    if (parsed) holds(!calendar::next_after(*parsed, zone, TimePoint(Duration(micros))), "no zone, no time");
    return;
  }
  if (!parsed) return;
  TimePoint after{Duration(micros)};
  for (int i = 0; i < 4; ++i) {
    const auto next = calendar::next_after(*parsed, zone, after);
    if (!next) return;
    holds(*next > after, "the next time is later");
    holds(*next - after < std::chrono::days(8 * 366), "and not later than the horizon");
    check_match(*parsed, zone, *next);
    holds(calendar::next_after(*parsed, zone, *next - Duration(1)) == next, "nothing lies between");
    after = *next;
  }
}

}  // namespace baton::fuzz
