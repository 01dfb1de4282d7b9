// `pattern` of a parameter: an ECMAScript regular expression over the whole value, matched in time linear in the value.
#pragma once
#include <baton/base/result.hpp>

#include <string>

namespace baton::workflow {

Result<> check_pattern(const std::string& pattern);
Result<bool> matches_pattern(const std::string& pattern, const std::string& value);

}  // namespace baton::workflow
