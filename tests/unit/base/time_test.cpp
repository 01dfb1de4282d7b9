#include <baton/base/time.hpp>

#include "catch.hpp"

using namespace baton;
using namespace std::chrono_literals;

TEST_CASE("RFC 3339 times are read to the microsecond, in any offset") {
  const TimePoint expected = std::chrono::sys_days(std::chrono::year(2026) / 3 / 29) + 59min + 59s + 123456us;
  CHECK(parse_rfc3339("2026-03-29T00:59:59.123456Z") == expected);
  CHECK(parse_rfc3339("2026-03-29t00:59:59.123456789z") == expected);
  CHECK(parse_rfc3339("2026-03-29 02:59:59.123456+02:00") == expected);
  CHECK(parse_rfc3339("2026-03-28T19:29:59.123456-05:30") == expected);
  CHECK(parse_rfc3339("2026-03-29T00:59:59Z") == expected - 123456us);
  CHECK(parse_rfc3339("2026-03-29T00:59:59.5Z") == expected - 123456us + 500ms);
  CHECK(parse_rfc3339("2016-12-31T23:59:60Z") == parse_rfc3339("2017-01-01T00:00:00Z"));
  CHECK(parse_rfc3339("1970-01-01T00:00:00Z") == TimePoint{});
  CHECK(parse_rfc3339("1969-12-31T23:59:59.999999Z") == TimePoint{} - 1us);
}

TEST_CASE("what is no RFC 3339 time is refused") {
  for (const char* text : {"",
                           "2026-03-29",
                           "2026-03-29T00:59:59",
                           "2026-03-29T00:59Z",
                           "2026-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:61Z",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00+0200",
                           "2026-01-01T00:00:00+24:00",
                           "2026-01-01T00:00:00+02:60",
                           "2026-01-01T00:00:00Zx",
                           "26-01-01T00:00:00Z",
                           "2026-1-1T00:00:00Z",
                           " 2026-01-01T00:00:00Z",
                           "+026-01-01T00:00:00Z"}) {
    INFO(text);
    CHECK_FALSE(parse_rfc3339(text));
  }
}

TEST_CASE("times are written in UTC with milliseconds") {
  CHECK(format_rfc3339(TimePoint{}) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339(TimePoint{} - 1us) == "1969-12-31T23:59:59.999Z");
  CHECK(format_rfc3339(*parse_rfc3339("2026-03-29T02:59:59.123999+02:00")) == "2026-03-29T00:59:59.123Z");
}

TEST_CASE("durations are read exactly") {
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("2d") == 48h);
  CHECK(parse_duration("1d1h1m1s1ms") == 25h + 1min + 1s + 1ms);
  CHECK(parse_duration("1.5h") == 90min);
  CHECK(parse_duration("0.25ms") == 250us);
  CHECK(parse_duration("0") == 0s);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("3660d") == 3660 * 24h);
}

TEST_CASE("what is no duration is refused") {
  for (const char* text : {"",     "10",   "-1s",  "+1s",   "1",  "s",    "1x",   "1S",   "1 s", " 1s",  "1s ",
                           "1s1m", "1m1m", "1h30", "1..5s", ".s", "1e3s", "infs", "nans", "1us", "0x1s", "1,5s"}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text));
  }
  CHECK(parse_duration("3661d").error().code == ErrorCode::limit);
  CHECK(parse_duration("3660d1ms").error().code == ErrorCode::limit);
  CHECK_FALSE(parse_duration(std::string(100'000, '9') + "s"));
}

TEST_CASE("a formatted duration reads back as the same") {
  for (const Duration duration :
       {Duration(0), Duration(1), Duration(1500), Duration(250), Duration(1s), Duration(59s), Duration(90min),
        Duration(25h + 1s), Duration(1s + 500ms), Duration(1s + 1us), Duration(3660 * 24h), Duration(10ms + 10us)}) {
    INFO(format_duration(duration));
    CHECK(parse_duration(format_duration(duration)) == duration);
  }
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(90min) == "1h30m");
  CHECK(format_duration(48h) == "2d");
  CHECK(format_duration(1500ms) == "1s500ms");
  CHECK(format_duration(1500us) == "1.5ms");
  CHECK(format_duration(-90s) == "-1m30s");
}

TEST_CASE("elapsed times are short") {
  CHECK(format_elapsed(-1s) == "0.0s");
  CHECK(format_elapsed(400ms) == "0.4s");
  CHECK(format_elapsed(9'949ms) == "9.9s");
  CHECK(format_elapsed(9'950ms) == "10s");
  CHECK(format_elapsed(12'900ms) == "12s");
  CHECK(format_elapsed(59'999ms) == "59s");
  CHECK(format_elapsed(3min + 5s) == "3m05s");
  CHECK(format_elapsed(2h + 7min) == "2h07m");
  CHECK(format_elapsed(99h) == "4d03h");
}
