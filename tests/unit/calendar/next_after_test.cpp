#include <baton/calendar/cron.hpp>

#include <vector>

#include "catch.hpp"

using namespace baton;
using calendar::Cron;

namespace {

// The next `count` instants, in UTC.
std::vector<std::string> fires(const char* cron, const char* zone, const char* after, int count) {
  const auto parsed = Cron::parse(cron);
  REQUIRE(parsed);
  TimePoint at = *parse_rfc3339(after);
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) {
    const auto next = calendar::next_after(*parsed, zone, at);
    if (!next) {
      out.emplace_back("never");
      break;
    }
    CHECK(*next > at);
    at = *next;
    std::string text = format_rfc3339(at);
    REQUIRE(text.ends_with(":00.000Z"));
    out.push_back(text.substr(0, 16));
  }
  return out;
}
using Times = std::vector<std::string>;

}  // namespace

TEST_CASE("the next instant is strictly after the given one") {
  CHECK(fires("0 12 * * *", "UTC", "2026-01-01T11:59:59.999999Z", 1) == Times{"2026-01-01T12:00"});
  CHECK(fires("0 12 * * *", "UTC", "2026-01-01T12:00:00Z", 1) == Times{"2026-01-02T12:00"});
  CHECK(fires("0 12 * * *", "UTC", "2026-01-01T12:00:00.000001Z", 1) == Times{"2026-01-02T12:00"});
  CHECK(fires("* * * * *", "UTC", "2026-01-01T12:00:00.000001Z", 2) == Times{"2026-01-01T12:01", "2026-01-01T12:02"});
  CHECK(fires("59 23 31 12 *", "UTC", "2026-12-31T23:59:00Z", 1) == Times{"2027-12-31T23:59"});
}

TEST_CASE("a wall time is taken in the zone") {
  CHECK(fires("30 2 * * *", "Europe/Prague", "2026-01-10T00:00:00Z", 1) == Times{"2026-01-10T01:30"});
  CHECK(fires("0 9 * * mon", "Asia/Kolkata", "2026-01-10T00:00:00Z", 1) == Times{"2026-01-12T03:30"});
  CHECK(fires("0 0 1 * *", "Pacific/Auckland", "2026-06-15T00:00:00Z", 1) == Times{"2026-06-30T12:00"});
}

TEST_CASE("leap days come every fourth year, except in 2100") {
  CHECK(fires("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2) == Times{"2028-02-29T00:00", "2032-02-29T00:00"});
  CHECK(fires("0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", 1) == Times{"2104-02-29T00:00"});
  CHECK(fires("* * 29 2 *", "UTC", "2096-02-29T23:59:00Z", 1) == Times{"2104-02-29T00:00"});
}

TEST_CASE("an impossible date never fires") {
  CHECK(fires("0 0 30 2 *", "Europe/Riga", "2026-01-01T00:00:00Z", 1) == Times{"never"});
  CHECK(fires("* * 31 4,6,9,11 *", "Europe/Riga", "2026-01-01T00:00:00Z", 1) == Times{"never"});
}

TEST_CASE("an unknown zone and a time out of the calendar never fire") {
  CHECK(fires("0 0 * * *", "Europe/Rigga", "2026-01-01T00:00:00Z", 1) == Times{"never"});
  const auto cron = Cron::parse("* * * * *");
  CHECK_FALSE(calendar::next_after(*cron, "Europe/Riga", TimePoint::max()));
  CHECK_FALSE(calendar::next_after(*cron, "Europe/Riga", TimePoint::min()));
}

// Riga: 2026-03-29 03:00 EET → 04:00 EEST at 01:00Z; 2026-10-25 04:00 EEST → 03:00 EET at 01:00Z.
TEST_CASE("Riga: a skipped wall time fires at the first instant behind the gap") {
  CHECK(fires("30 3 * * *", "Europe/Riga", "2026-03-28T00:00:00Z", 3) ==
        Times{"2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"});
  CHECK(fires("0,30 3-4 29 3 *", "Europe/Riga", "2026-03-28T23:00:00Z", 3) ==
        Times{"2026-03-29T01:00", "2026-03-29T01:30", "2027-03-29T00:00"});
}

TEST_CASE("Riga: a repeated wall time fires once, the first time") {
  CHECK(fires("30 3 * * *", "Europe/Riga", "2026-10-24T12:00:00Z", 2) == Times{"2026-10-25T00:30", "2026-10-26T01:30"});
  CHECK(fires("30 3 * * *", "Europe/Riga", "2026-10-25T01:10:00Z", 1) == Times{"2026-10-26T01:30"});
  CHECK(fires("*/30 3 * * *", "Europe/Riga", "2026-10-24T12:00:00Z", 3) ==
        Times{"2026-10-25T00:00", "2026-10-25T00:30", "2026-10-26T01:00"});
}

TEST_CASE("every hour means every hour that passes") {
  CHECK(fires("30 * * * *", "Europe/Riga", "2026-10-24T23:00:00Z", 4) ==
        Times{"2026-10-24T23:30", "2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"});
  CHECK(fires("30 * * * *", "Europe/Riga", "2026-03-29T00:00:00Z", 3) ==
        Times{"2026-03-29T00:30", "2026-03-29T01:30", "2026-03-29T02:30"});
  CHECK(fires("0 0-23 * * *", "Europe/Riga", "2026-10-24T23:30:00Z", 4) ==
        Times{"2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00", "2026-10-25T03:00"});
}

// New York: 2026-03-08 02:00 EST → 03:00 EDT at 07:00Z; 2026-11-01 02:00 EDT → 01:00 EST at 06:00Z.
TEST_CASE("New York: gap and overlap") {
  CHECK(fires("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2) ==
        Times{"2026-03-08T07:00", "2026-03-09T06:30"});
  CHECK(fires("0 3 * * *", "America/New_York", "2026-03-07T12:00:00Z", 1) == Times{"2026-03-08T07:00"});
  CHECK(fires("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 2) ==
        Times{"2026-11-01T05:30", "2026-11-02T06:30"});
  CHECK(fires("0 2 * * *", "America/New_York", "2026-10-31T12:00:00Z", 1) == Times{"2026-11-01T07:00"});
  CHECK(fires("*/30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", 4) ==
        Times{"2026-11-01T05:30", "2026-11-01T06:00", "2026-11-01T06:30", "2026-11-01T07:00"});
}

// Lord Howe moves by half an hour: 2026-10-04 02:00 +10:30 → 02:30 +11 at 2026-10-03T15:30Z;
// 2026-04-05 02:00 +11 → 01:30 +10:30 at 2026-04-04T15:00Z.
TEST_CASE("Lord Howe: half an hour of gap and overlap") {
  CHECK(fires("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z", 2) ==
        Times{"2026-10-03T15:30", "2026-10-04T15:15"});
  CHECK(fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2) ==
        Times{"2026-04-04T14:45", "2026-04-05T15:15"});
  CHECK(fires("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", 3) ==
        Times{"2026-04-04T14:45", "2026-04-04T15:15", "2026-04-04T16:15"});
  CHECK(fires("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:30:00Z", 2) ==
        Times{"2026-10-03T16:00", "2026-10-03T17:00"});
}

// Santiago moves at midnight: 2026-09-06 00:00 -04 → 01:00 -03 at 04:00Z; 2026-04-05 00:00 -03 → 2026-04-04 23:00 -04
// at 03:00Z.
TEST_CASE("Santiago: midnight that does not exist, and an hour before midnight that comes twice") {
  CHECK(fires("@daily", "America/Santiago", "2026-09-05T12:00:00Z", 2) ==
        Times{"2026-09-06T04:00", "2026-09-07T03:00"});
  CHECK(fires("0 0 6 9 *", "America/Santiago", "2026-09-05T12:00:00Z", 1) == Times{"2026-09-06T04:00"});
  CHECK(fires("30 23 * * *", "America/Santiago", "2026-04-04T12:00:00Z", 2) ==
        Times{"2026-04-05T02:30", "2026-04-06T03:30"});
  CHECK(fires("0 0 * * *", "America/Santiago", "2026-04-04T12:00:00Z", 1) == Times{"2026-04-05T04:00"});
}

TEST_CASE("Apia: a day that was skipped altogether") {
  // 2011-12-30 did not exist: the clocks went from the 29th, 24:00 -10, to the 31st, 00:00 +14, at 10:00Z.
  CHECK(fires("0 12 * * *", "Pacific/Apia", "2011-12-29T22:00:00Z", 3) ==
        Times{"2011-12-30T10:00", "2011-12-30T22:00", "2011-12-31T22:00"});
}

TEST_CASE("every wall time of a year fires once, in order") {
  for (const char* zone : {"Europe/Riga", "America/New_York", "Australia/Lord_Howe", "America/Santiago"}) {
    const auto cron = Cron::parse("17 1,2,3,23,0 * * *");
    TimePoint at = *parse_rfc3339("2026-01-01T12:00:00Z");
    const TimePoint end = at + std::chrono::days(365);
    int count = 0;
    while (true) {
      const auto next = calendar::next_after(*cron, zone, at);
      REQUIRE(next);
      REQUIRE(*next > at);
      if (*next > end) break;
      at = *next;
      ++count;
    }
    INFO(zone);
    CHECK(count == 5 * 365);
  }
}

TEST_CASE("time zones are those of the system") {
  for (const char* zone : {"UTC", "Etc/UTC", "Europe/Riga", "America/Argentina/Buenos_Aires", "Asia/Calcutta"}) {
    INFO(zone);
    CHECK(calendar::is_time_zone(zone));
  }
  for (const char* zone : {"", "Riga", "europe/riga", "Europe/", "Europe", "../../etc/passwd", "/etc/passwd", "UTC+1",
                           "Europe/Riga ", "leapseconds", "zone.tab", "tzdata.zi"}) {
    INFO(zone);
    CHECK_FALSE(calendar::is_time_zone(zone));
  }
  CHECK_FALSE(calendar::is_time_zone(std::string("Europe/Riga\0x", 13)));
}

TEST_CASE("a mistyped zone is guessed") {
  CHECK(calendar::nearest_time_zone("europe/riga") == "Europe/Riga");
  CHECK(calendar::nearest_time_zone("Riga") == "Europe/Riga");
  CHECK(calendar::nearest_time_zone("Europe/Prauge") == "Europe/Prague");
  CHECK(calendar::nearest_time_zone("utc") == "UTC");
  CHECK(calendar::nearest_time_zone("America/NewYork") == "America/New_York");
  CHECK_FALSE(calendar::nearest_time_zone(""));
  CHECK_FALSE(calendar::nearest_time_zone("nowhere near any zone that exists"));
}
