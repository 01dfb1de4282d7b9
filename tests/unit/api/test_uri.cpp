#include "../../../lib/api/src/uri.hpp"

#include "catch.hpp"

using namespace baton;
using namespace baton::api;

namespace {

std::vector<std::string> segments_of(std::string_view target) {
  auto parsed = parse_target(target);
  REQUIRE(parsed);
  return parsed->segments;
}

}  // namespace

TEST_CASE("a path is split first and decoded once") {
  CHECK(segments_of("/v1/runs") == std::vector<std::string>{"v1", "runs"});
  CHECK(segments_of("/v1/runs/a%2Fb") == std::vector<std::string>{"v1", "runs", "a/b"});
  CHECK(segments_of("/%2541") == std::vector<std::string>{"%41"});
  CHECK(segments_of("/train%5BC%3D0.1%5D") == std::vector<std::string>{"train[C=0.1]"});
  CHECK(segments_of("/a/../b") == std::vector<std::string>{"a", "..", "b"});
  CHECK(segments_of("/a+b") == std::vector<std::string>{"a+b"});
  CHECK(segments_of("/") == std::vector<std::string>{""});
  CHECK(segments_of("http://baton/v1/info") == std::vector<std::string>{"v1", "info"});
  CHECK(segments_of("http://baton") == std::vector<std::string>{""});
}

TEST_CASE("a query is decoded into pairs") {
  auto parsed = parse_target("/x?state=failed&state=a%26b&flag&=&q=1+2");
  REQUIRE(parsed);
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  CHECK(parsed->query == Pairs{{"state", "failed"}, {"state", "a&b"}, {"flag", ""}, {"", ""}, {"q", "1 2"}});
}

TEST_CASE("targets that are no text are refused") {
  for (const char* bad : {"", "v1/info", "*", "/%", "/%4", "/%zz", "/%00", "/%ff", "/x?a=%", "/x?a=%c3"}) {
    INFO(bad);
    auto parsed = parse_target(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("a target survives the way to the server") {
  for (const char* name : {"train[C=0.1]", "digits#3", "a/b?c&d=e f+g%", "größe", ".", ".."}) {
    INFO(name);
    Target target("/v1/runs/{ref}/tasks/{name}/log", {"last", name});
    target.with("q", name).with_text("empty", "").with_number("zero", 0).with_flag("no", false).with_flag("yes", true);
    auto parsed = parse_target(target.text());
    REQUIRE(parsed);
    CHECK(parsed->segments == std::vector<std::string>{"v1", "runs", "last", "tasks", name, "log"});
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    CHECK(parsed->query == Pairs{{"q", name}, {"yes", "true"}});
  }
}
