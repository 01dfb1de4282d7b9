#include "style.hpp"

#include "catch.hpp"

namespace baton::cli {
namespace {

TEST_CASE("a table aligns by what is shown, not by bytes, and leaves no blanks at the end") {
  Table table({"NAME", "STATE", "REASON"});
  table.add({"überprüfen", {"failed", Style::red}, "exit:3"});
  table.add({"b", {"succeeded", Style::green}, ""});
  CHECK(table.render(false) ==
        "NAME        STATE      REASON\n"
        "überprüfen  failed     exit:3\n"
        "b           succeeded\n");
}

TEST_CASE("colours are around the cells only, and control characters are escaped") {
  Table table({"A", "B"});
  table.add({{"x\n\x1b[2J", Style::red}, "y"});
  CHECK(table.render(true) ==
        "\x1b[1mA\x1b[0m           \x1b[1mB\x1b[0m\n"
        "\x1b[31mx\\n\\x1b[2J\x1b[0m  y\n");
}

TEST_CASE("a line is cut to the terminal's width, colours not counted") {
  const Line line = Line().add("● ", Style::blue).add("train[C=0.1]").add("  running", Style::blue);
  CHECK(line.render(0, false) == "● train[C=0.1]  running");
  CHECK(line.render(80, false) == "● train[C=0.1]  running");
  CHECK(line.render(10, false) == "● train[C…");
  CHECK(line.render(10, true) == "\x1b[34m● \x1b[0mtrain[C…");
  CHECK(line.render(2, false) == "● ");
}

TEST_CASE("text is cut and padded by code points") {
  CHECK(columns_of("žluť") == 4);
  CHECK(cut_to("žluťoučký", 4) == "žlu…");
  CHECK(cut_to("žluť", 4) == "žluť");
  CHECK(cut_to("abc", 0).empty());
  CHECK(pad_to("žlu", 5) == "žlu  ");
}

}  // namespace
}  // namespace baton::cli
