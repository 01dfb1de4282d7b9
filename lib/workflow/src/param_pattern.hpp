// `pattern` of a parameter: an ECMAScript regular expression over the whole value. Matching takes time in proportion to
// the value's length and to the pattern's parts, and both have limits: it is done on the event loop too.
#pragma once
#include <baton/base/result.hpp>

#include <cstddef>
#include <memory>
#include <regex>
#include <string>
#include <string_view>

namespace baton::workflow {

// How much a pattern asks for: its characters, classes, groups and operators once counts are written out, so that
// (ab){9} has 36. What stands in a lookahead may be tried at every character and counts 64 times. Not exact, but never
// less than what the regular expression makes of it. A pattern that is not valid has some size too.
std::size_t pattern_parts(std::string_view pattern);

class ParamPattern {
 public:
  static Result<std::shared_ptr<const ParamPattern>> compile(const std::string& pattern);
  // Errors: limit, for a value that is too long.
  [[nodiscard]] Result<bool> matches(const std::string& value) const;
  [[nodiscard]] std::size_t parts() const { return parts_; }

 private:
  std::regex regex_;
  std::size_t parts_ = 0;
};

}  // namespace baton::workflow
