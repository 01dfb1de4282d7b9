// Request targets: paths and queries, decoded once, and the table of routes.
#include <baton/base/text.hpp>

#include "../../../lib/api/src/route.hpp"
#include "../../../lib/api/src/uri.hpp"
#include "../target.hpp"

namespace baton::fuzz {
namespace {

bool is_text(std::string_view text) { return is_valid_utf8(text) && text.find('\0') == std::string_view::npos; }

std::string encode(const api::ParsedTarget& target) {
  std::string text;
  for (const std::string& segment : target.segments) text += '/' + api::percent_encode(segment);
  char before = '?';
  for (const auto& [name, value] : target.query) {
    text += before + api::percent_encode(name) + '=' + api::percent_encode(value);
    before = '&';
  }
  return text;
}

void check_match(std::string_view method, const api::ParsedTarget& target) {
  const api::Match found = api::match(method, target.segments);
  holds((found.route == nullptr) || found.allow.empty(), "a route, or the methods there are");
  if (found.route == nullptr) return;
  holds(found.route->method == method, "the route has the method");
  std::string_view pattern = found.route->path;
  std::size_t capture = 0;
  for (const std::string& segment : target.segments) {
    pattern.remove_prefix(1);
    const std::string_view expected = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(expected.size());
    if (expected.starts_with('{')) {
      holds(!segment.empty() && found.captures.at(capture++) == segment, "a capture is its segment");
    } else {
      holds(segment == expected, "nothing but the route's own words matches");
    }
  }
  holds(pattern.empty() && capture == found.captures.size(), "the whole pattern matched");
}

}  // namespace

void http_target(std::string_view input) {
  const auto target = api::parse_target(input);
  if (!target) return;
  holds(!target->segments.empty(), "a path has a segment");
  for (const std::string& segment : target->segments) holds(is_text(segment), "segments are text");
  for (const auto& [name, value] : target->query) holds(is_text(name) && is_text(value), "queries are text");
  const auto again = api::parse_target(encode(*target));
  holds(again && again->segments == target->segments && again->query == target->query, "encoded it is the same");
  check_match("GET", *target);
  check_match("POST", *target);
}

}  // namespace baton::fuzz
