#include "log_text.hpp"

#include "catch.hpp"
#include "log_streams.hpp"

namespace baton::cli {
namespace {

std::string filtered(std::string_view text) {
  TerminalFilter filter(true);
  std::string out = filter.feed(text);
  return out + filter.finish();
}

std::string filtered_bytewise(std::string_view text) {
  TerminalFilter filter(true);
  std::string out;
  for (const char c : text) out += filter.feed(std::string_view(&c, 1));
  return out + filter.finish();
}

TEST_CASE("text, newlines, tabs and colours pass to a terminal") {
  for (const std::string text : {"plain žluť 日本\n\ttab\n", "\x1b[1;31mred\x1b[0m\n", "\x1b[38:5:12mx\x1b[m"}) {
    CHECK(filtered(text) == text);
    CHECK(filtered_bytewise(text) == text);
  }
}

TEST_CASE("everything else that controls a terminal is escaped, wherever chunks end") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"\x1b[2Jgone", "\\x1b[2Jgone"},             // clears the screen
      {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},  // sets the title
      {"\x1b[6n", "\\x1b[6n"},                     // asks for the cursor, the answer becomes input
      {"a\bb\x7f", "a\\x08b\\x7f"},                //
      {"\xc2\x9b"
       "31m",
       "\\u009b31m"},                    // CSI as one C1 character
      {"\xff\xfe", "\\xff\\xfe"},        //
      {"cut\xe6\x97", "cut\\xe6\\x97"},  // ends inside a character
      {"end\x1b", "end\\x1b"},
      {"end\x1b[3", "end\\x1b[3"},
  };
  for (const auto& [text, shown] : cases) {
    CHECK(filtered(text) == shown);
    CHECK(filtered_bytewise(text) == shown);
  }
}

TEST_CASE("a carriage return is a new line, once") {
  for (const auto& [text, shown] : std::vector<std::pair<std::string, std::string>>{
           {"10%\r20%\r\n", "10%\n20%\n"}, {"a\r", "a\n"}, {"a\r\r\nb", "a\n\nb"}, {"a\r\x1b[0mb", "a\n\x1b[0mb"}}) {
    CHECK(filtered(text) == shown);
    CHECK(filtered_bytewise(text) == shown);
  }
}

TEST_CASE("without colours their sequences are dropped, wherever chunks end") {
  const std::string text = "\x1b[1;31mred\x1b[0m\n\x1b[2J\x1b[38:5:12mx";
  const std::string shown = "red\n\\x1b[2Jx";
  TerminalFilter whole(false);
  CHECK(whole.feed(text) + whole.finish() == shown);
  TerminalFilter bytewise(false);
  std::string out;
  for (const char c : text) out += bytewise.feed(std::string_view(&c, 1));
  CHECK(out + bytewise.finish() == shown);
  PrefixedLines lines("a | ", Shown::plain);
  CHECK(lines.feed("\x1b[31mred\n") == "a | red\n");
  LogPrinter printer("", Shown::plain);
  CHECK(printer.feed("\x1b[31mred") + printer.finish() == "red");
}

TEST_CASE("a log that ends in colour does not colour what comes after it") {
  CHECK(filtered("\x1b[31mred") == "\x1b[31mred\x1b[0m");
}

TEST_CASE("an endless escape sequence is not collected") {
  const std::string text = "\x1b[" + std::string(1000, '1');
  CHECK(filtered(text) == "\\x1b[" + std::string(1000, '1'));
  CHECK(filtered_bytewise(text) == "\\x1b[" + std::string(1000, '1'));
}

TEST_CASE("lines of several logs carry their prefix") {
  PrefixedLines lines("a | ", Shown::as_it_is);
  CHECK(lines.feed("one\ntw") == "a | one\n");
  CHECK(lines.feed("o\n\n") == "a | two\na | \n");
  CHECK(lines.feed("three\x1b[2J") == "");
  CHECK(lines.finish() == "a | three\x1b[2J\n");
  CHECK(lines.finish() == "");
}

TEST_CASE("on a terminal prefixed lines are filtered and reset their colours") {
  PrefixedLines lines("a | ", Shown::coloured);
  CHECK(lines.feed("\x1b[31mred\n\x07\n") == "a | \x1b[31mred\x1b[0m\na | \\x07\n");
  CHECK(lines.finish() == "");
}

TEST_CASE("a line without end is broken, not collected") {
  PrefixedLines lines("a | ", Shown::as_it_is);
  std::string out = lines.feed(std::string(PrefixedLines::kLongestLine + 10, 'x'));
  CHECK(out == "a | " + std::string(PrefixedLines::kLongestLine, 'x') + "\n");
  CHECK(lines.finish() == "a | " + std::string(10, 'x') + "\n");
}

TEST_CASE("a single log goes into a file as it is") {
  LogPrinter printer("", Shown::as_it_is);
  const std::string bytes("\x00\xff\r\x1b[2J", 7);
  CHECK(printer.feed(bytes) + printer.finish() == bytes);
}

}  // namespace
}  // namespace baton::cli
