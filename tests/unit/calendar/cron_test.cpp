#include <baton/calendar/cron.hpp>

#include "catch.hpp"

using baton::calendar::Cron;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = Cron::parse(text);
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("cron fields hold exactly what was written") {
  const auto cron = Cron::parse("*/15 8-10,20 1,15 jan-MAR,12 mon-fri");
  REQUIRE(cron);
  CHECK(cron->minutes.count() == 4);
  CHECK((cron->minutes[0] && cron->minutes[15] && cron->minutes[30] && cron->minutes[45]));
  CHECK(cron->hours.count() == 4);
  CHECK((cron->hours[8] && cron->hours[9] && cron->hours[10] && cron->hours[20]));
  CHECK(cron->days.count() == 2);
  CHECK((cron->days[1] && cron->days[15]));
  CHECK(cron->months.count() == 4);
  CHECK((cron->months[1] && cron->months[2] && cron->months[3] && cron->months[12]));
  CHECK(cron->weekdays.count() == 5);
  CHECK_FALSE((cron->weekdays[0] || cron->weekdays[6]));
  CHECK_FALSE(cron->any_day);
  CHECK_FALSE(cron->any_weekday);
}

TEST_CASE("cron ranges take steps and spaces may be tabs") {
  const auto cron = Cron::parse("  10-30/10\t*/23 * *  *  ");
  REQUIRE(cron);
  CHECK(cron->minutes.count() == 3);
  CHECK((cron->minutes[10] && cron->minutes[20] && cron->minutes[30]));
  CHECK((cron->hours.count() == 2 && cron->hours[0] && cron->hours[23]));
}

TEST_CASE("cron knows Sunday as 0, as 7 and at the end of a range") {
  for (const char* text : {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun"}) {
    const auto cron = Cron::parse(text);
    REQUIRE(cron);
    CHECK(cron->weekdays.to_ulong() == 1);
  }
  for (const char* text : {"0 0 * * fri-sun", "0 0 * * 5-7"}) {
    const auto cron = Cron::parse(text);
    REQUIRE(cron);
    CHECK(cron->weekdays.to_ulong() == 0b1100001);
  }
  CHECK(Cron::parse("0 0 * * 0-7")->weekdays.all());
}

TEST_CASE("cron nicknames are the expressions they stand for") {
  const auto same = [](const char* nickname, const char* text) {
    const auto a = Cron::parse(nickname);
    const auto b = Cron::parse(text);
    REQUIRE((a && b));
    return a->minutes == b->minutes && a->hours == b->hours && a->days == b->days && a->months == b->months &&
           a->weekdays == b->weekdays && a->any_day == b->any_day && a->any_weekday == b->any_weekday;
  };
  CHECK(same("@hourly", "0 * * * *"));
  CHECK(same("@daily", "0 0 * * *"));
  CHECK(same("@midnight", "0 0 * * *"));
  CHECK(same("@Weekly", "0 0 * * 0"));
  CHECK(same("@monthly", "0 0 1 * *"));
  CHECK(same("@yearly", "0 0 1 1 *"));
  CHECK(same("@annually", "0 0 1 1 *"));
}

TEST_CASE("bad cron expressions are refused") {
  const char* const bad[] = {"",
                             " ",
                             "*",
                             "* * * *",
                             "* * * * * *",
                             "60 * * * *",
                             "* 24 * * *",
                             "* * 0 * *",
                             "* * 32 * *",
                             "* * * 0 *",
                             "* * * 13 *",
                             "* * * * 8",
                             "-1 * * * *",
                             "5-1 * * * *",
                             "1- * * * *",
                             "-5 * * * *",
                             "1-2-3 * * * *",
                             "*/0 * * * *",
                             "*/60 * * * *",
                             "*/ * * * *",
                             "*/x * * * *",
                             "1,,2 * * * *",
                             ",1 * * * *",
                             "1, * * * *",
                             "x * * * *",
                             "1x * * * *",
                             "** * * * *",
                             "mon * * * *",
                             "* * L * *",
                             "* * ? * *",
                             "* * * * 5#2",
                             "@reboot",
                             "@",
                             "@daily *",
                             "99999999999999999999 * * * *"};
  for (const char* text : bad) {
    INFO(text);
    CHECK_FALSE(error_of(text).empty());
  }
  CHECK_FALSE(error_of(std::string(100'000, '1')).empty());
}

TEST_CASE("cron errors say what to write instead") {
  CHECK(error_of("5/15 * * * *").find("`5-59/15`") != std::string::npos);
  CHECK(error_of("* * * * mno").find("did you mean `mon`?") != std::string::npos);
  CHECK(error_of("@dialy").find("did you mean `@daily`?") != std::string::npos);
  CHECK(error_of("0 0 * * * *").find("there are no seconds") != std::string::npos);
  CHECK(error_of("61 * * * *") == "minute `61` is not in 0-59");
  CHECK(error_of("\x1b[31m * * * *").find('\x1b') == std::string::npos);
}

TEST_CASE("either day field matches if both are restricted, otherwise both must") {
  const auto either = Cron::parse("0 0 13 * fri");
  REQUIRE(either);
  CHECK(either->matches_day(2026, 3, 13));  // a Friday, the 13th
  CHECK(either->matches_day(2026, 3, 6));   // a Friday
  CHECK(either->matches_day(2026, 4, 13));  // a Monday
  CHECK_FALSE(either->matches_day(2026, 4, 14));
  const auto day = Cron::parse("0 0 13 * *");
  CHECK(day->matches_day(2026, 4, 13));
  CHECK_FALSE(day->matches_day(2026, 3, 6));
  const auto weekday = Cron::parse("0 0 * * fri");
  CHECK(weekday->matches_day(2026, 3, 6));
  CHECK_FALSE(weekday->matches_day(2026, 4, 13));
  const auto stepped = Cron::parse("0 0 */2 * fri");
  CHECK(stepped->matches_day(2026, 3, 13));
  CHECK_FALSE(stepped->matches_day(2026, 3, 6));
  CHECK_FALSE(day->matches_day(2026, 2, 30));
  CHECK_FALSE(Cron::parse("0 0 13 1 *")->matches_day(2026, 2, 13));
}
