#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <array>
#include <vector>

#include "catch.hpp"

using namespace baton;

namespace {

std::optional<std::string_view> among(std::string_view word, std::vector<std::string_view> candidates) {
  return nearest(word, candidates);
}

}  // namespace

TEST_CASE("control characters are shown, not sent to the terminal") {
  CHECK(escape_control("plain žluťoučký 日本 🎼") == "plain žluťoučký 日本 🎼");
  CHECK(escape_control("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(escape_control("\x1b[31m\x07\x7f") == "\\x1b[31m\\x07\\x7f");
  CHECK(escape_control(std::string_view("\0", 1)) == "\\x00");
  CHECK(escape_control("\xc2\x9b") == "\\u009b");
  CHECK(escape_control("\xc2\xa0") == "\xc2\xa0");
}

TEST_CASE("invalid UTF-8 is shown byte by byte") {
  CHECK(escape_control("\xff") == "\\xff");
  CHECK(escape_control("a\xc3") == "a\\xc3");
  CHECK(escape_control("\x80z") == "\\x80z");
  CHECK(escape_control("\xc0\xaf") == "\\xc0\\xaf");
}

TEST_CASE("UTF-8 is checked as RFC 3629 says") {
  for (const char* good : {"", "ascii", "é", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    INFO(good);
    CHECK(is_valid_utf8(good));
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
                          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff", "a\xc3(b"}) {
    INFO(escape_control(bad));
    CHECK_FALSE(is_valid_utf8(bad));
  }
}

TEST_CASE("the nearest candidate is what was meant") {
  CHECK(among("need", {"name", "needs", "env"}) == "needs");
  CHECK(among("nedes", {"name", "needs", "env"}) == "needs");  // neighbours swapped
  CHECK(among("matirx", {"matrix"}) == "matrix");
  CHECK(among("timeouts", {"timeout"}) == "timeout");
  CHECK(among("evn", {"run", "env"}) == "env");
  CHECK(among("same", {"same", "sane"}) == "same");
}

TEST_CASE("what is too far away is not suggested") {
  CHECK_FALSE(among("zebra", {"name", "needs", "env"}));
  CHECK_FALSE(among("x", {"y", "z"}));
  CHECK_FALSE(among("", {"y"}));
  CHECK_FALSE(among("word", {}));
  CHECK_FALSE(among(std::string(100'000, 'a'), {"aaaa"}));
  CHECK_FALSE(among("aaaa", {std::string(100, 'a')}));
}

TEST_CASE("names, ids and identifiers") {
  for (const char* name : {"a", "train", "Train-2.x_y", "0"}) CHECK(is_name(name));
  for (const char* name : {"", "-a", ".a", "_a", "a b", "a/b", "é", "a\n"}) CHECK_FALSE(is_name(name));
  CHECK(is_name(std::string(limits::kNameBytes, 'a')));
  CHECK_FALSE(is_name(std::string(limits::kNameBytes + 1, 'a')));
  for (const char* id : {"a", "-", ".", "_x", "0-9"}) CHECK(is_id(id));
  for (const char* id : {"", "a b", "a/b", "a:b", "ä"}) CHECK_FALSE(is_id(id));
  CHECK(is_id(std::string(limits::kNameBytes, '.')));
  CHECK_FALSE(is_id(std::string(limits::kNameBytes + 1, '.')));
  for (const char* word : {"a", "_", "A_9", "PATH"}) CHECK(is_identifier(word));
  for (const char* word : {"", "9a", "a-b", "a.b", "a b", "é"}) CHECK_FALSE(is_identifier(word));
  CHECK(is_identifier(std::string(limits::kIdentifierBytes, 'a')));
  CHECK_FALSE(is_identifier(std::string(limits::kIdentifierBytes + 1, 'a')));
}
