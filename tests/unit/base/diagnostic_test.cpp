#include <baton/base/diagnostic.hpp>

#include "catch.hpp"

using namespace baton;

namespace {

std::string at(std::uint32_t line, std::uint32_t column, std::string_view source, std::string hint = "") {
  return render({Severity::error, "w.yaml", {line, column}, "wrong", std::move(hint)}, source);
}

// The text and the caret's column (from 0) of the source line in a rendered diagnostic.
std::pair<std::string, std::size_t> marked(const std::string& rendered) {
  const std::size_t line = rendered.find('\n') + 1;
  const std::size_t caret = rendered.find('\n', line) + 1;
  return {rendered.substr(line, caret - line - 1), rendered.find('^', caret) - caret};
}

}  // namespace

TEST_CASE("a diagnostic shows the place, the line, a caret and the hint") {
  CHECK(at(2, 3, "name: x\n  need: y\n", "did you mean `needs`?") ==
        "w.yaml:2:3: error: wrong\n    need: y\n    ^\n  hint: did you mean `needs`?\n");
  CHECK(render({Severity::warning, "w.yaml", {1, 1}, "odd", ""}, "a: b") == "w.yaml:1:1: warning: odd\n  a: b\n  ^\n");
}

TEST_CASE("a diagnostic without place or source is one line") {
  CHECK(at(0, 0, "a: b") == "w.yaml: error: wrong\n");
  CHECK(at(3, 4, "") == "w.yaml:3:4: error: wrong\n");
  CHECK(at(9, 1, "a\nb\n") == "w.yaml:9:1: error: wrong\n");
  CHECK(at(1, 0, "a: b") == "w.yaml:1:1: error: wrong\n  a: b\n  ^\n");
}

TEST_CASE("columns count characters, and a line may end in any way") {
  CHECK(at(1, 4, "žé: x\r\nnext") == "w.yaml:1:4: error: wrong\n  žé: x\n     ^\n");
  CHECK(at(1, 99, "ab") == "w.yaml:1:99: error: wrong\n  ab\n    ^\n");
}

TEST_CASE("control characters in file, message, line and hint are escaped") {
  const std::string text =
      render({Severity::error, "w\x1b.yaml", {1, 3}, "a\nb", "c\x07"}, std::string_view("\t\x1b[31mx\n"));
  CHECK(text == "w\\x1b.yaml:1:3: error: a\\nb\n  \\t\\x1b[31mx\n        ^\n  hint: c\\x07\n");
}

TEST_CASE("a long line is cut around the caret") {
  const std::string line = std::string(500, 'a') + "!" + std::string(500, 'b');
  const auto [text, caret] = marked(at(1, 501, line));
  CHECK(text.size() <= 122);
  CHECK(text[caret] == '!');
}

TEST_CASE("a long line of multi-byte characters is cut in the right place") {
  std::string line;
  for (int i = 0; i < 200; ++i) line += "ж";
  for (const std::uint32_t column : {1u, 35u, 59u, 60u, 61u, 62u, 120u, 199u, 200u, 201u, 500u}) {
    INFO(column);
    const std::string rendered = at(1, column, line);
    const auto [text, caret] = marked(rendered);
    CHECK(text.size() >= 2 + 2 * 60);
    CHECK(caret <= 2 + 120);
    CHECK(caret >= 2 + std::min(column - 1, 30u));
  }
}

TEST_CASE("only errors count as errors") {
  CHECK_FALSE(has_errors({}));
  CHECK_FALSE(has_errors({{Severity::warning, "f", {}, "m", ""}}));
  CHECK(has_errors({{Severity::warning, "f", {}, "m", ""}, {Severity::error, "f", {}, "m", ""}}));
}
