// Request targets (RFC 3986): paths in segments, queries in pairs, each decoded exactly once.
#pragma once
#include <baton/base/result.hpp>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::api {

struct ParsedTarget {
  std::vector<std::string> segments;                       // "/v1/runs" → "v1", "runs"; decoded after the split
  std::vector<std::pair<std::string, std::string>> query;  // in order; a name may come more than once
};

// invalid_argument for a target that does not begin with `/` (or `http://host/`), a broken percent sequence, a NUL or
// text that is not UTF-8.
Result<ParsedTarget> parse_target(std::string_view target);

// Everything but RFC 3986's unreserved characters as %XX.
std::string percent_encode(std::string_view text);

// A target for the client: the captures fill a route's `{…}` in order.
class Target {
 public:
  Target(std::string_view pattern, std::initializer_list<std::string_view> captures);
  Target& with(std::string_view name, std::string_view value);
  // Leaves out what is empty, zero or false: the server's defaults.
  Target& with_text(std::string_view name, std::string_view value);
  Target& with_number(std::string_view name, std::uint64_t value);
  Target& with_flag(std::string_view name, bool value);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

}  // namespace baton::api
