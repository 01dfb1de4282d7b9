#include <baton/base/text.hpp>
#include <baton/service/run_id.hpp>

#include <set>

#include "catch.hpp"

using namespace baton;
using namespace baton::service;
using namespace std::chrono_literals;

namespace {
constexpr TimePoint kNow = TimePoint(std::chrono::sys_days(std::chrono::year{2026} / 3 / 29).time_since_epoch());
}

TEST_CASE("Run ids are short, lower case and sorted by time") {
  std::uint32_t chance = 0;
  RunIds ids([&] { return chance += 0x9E3779B9; });
  std::string before;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = ids.next(kNow + i * 1ms);
    CHECK(id.size() == 13);
    CHECK(is_id(id));
    CHECK(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz") == std::string::npos);
    CHECK(id > before);
    before = id;
  }
}

TEST_CASE("Run ids never repeat, also when neither the clock nor chance moves") {
  RunIds ids([] { return 7u; });
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) all.insert(ids.next(kNow));
  for (int i = 0; i < 1000; ++i) all.insert(ids.next(kNow - 1h));
  CHECK(all.size() == 2000);
}
