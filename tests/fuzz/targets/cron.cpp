// Cron fields and time zones. Input: the cron text, the zone and a time in microseconds, each on a line. A zone that
// begins with `?` is one that somebody mistyped. Any other that there is not is taken for some zone that there is:
// mutated names are seldom one, and a suggestion costs more than everything else here.
#include <date/tz.h>
#include <baton/calendar/cron.hpp>

#include <array>
#include <charconv>
#include <functional>

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

std::string some_zone(std::string_view input) {
  constexpr std::array<const char*, 8> kZones{"UTC",
                                              "Europe/Riga",
                                              "America/New_York",
                                              "America/Santiago",
                                              "Australia/Lord_Howe",
                                              "Africa/Casablanca",
                                              "Pacific/Apia",
                                              "Asia/Kathmandu"};
  return kZones[std::hash<std::string_view>()(input) % kZones.size()];
}

}  // namespace

void cron(std::string_view input) {
  const auto parsed = calendar::Cron::parse(take_until(input, '\n'));
  std::string zone(take_until(input, '\n'));
  std::int64_t micros = 0;
  std::from_chars(input.data(), input.data() + input.size(), micros);
  if (zone.starts_with('?')) {
    zone.erase(0, 1);
    const auto suggestion = calendar::nearest_time_zone(zone);
    holds(!suggestion || calendar::is_time_zone(*suggestion), "a suggestion is a zone");
    if (parsed && !calendar::is_time_zone(zone)) {
      holds(!calendar::next_after(*parsed, zone, TimePoint(Duration(micros))), "no zone, no time");
    }
    return;
  }
  if (!calendar::is_time_zone(zone)) zone = some_zone(zone);
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
