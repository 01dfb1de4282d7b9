#include "param_pattern.hpp"

#include <regex>

namespace baton::workflow {
namespace {

// The library's compiler recurses over the pattern.
constexpr std::size_t kPatternBytes = 512;
constexpr std::size_t kValueBytes = 16u << 10;

Result<std::regex> compile(const std::string& pattern) {
  if (pattern.size() > kPatternBytes) {
    return fail(ErrorCode::limit, "`pattern` is longer than {} bytes", kPatternBytes);
  }
  try {
    // The library's other algorithm backtracks: its time can be exponential and its stack as deep as the value is long.
    return std::regex(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
  } catch (const std::regex_error& error) {
    if (error.code() == std::regex_constants::error_complexity) {
      return fail(ErrorCode::invalid_argument, "`pattern` must do without back-references");
    }
    return fail(ErrorCode::invalid_argument, "`pattern` is not a regular expression: {}", error.what());
  }
}

}  // namespace

Result<> check_pattern(const std::string& pattern) {
  if (const auto regex = compile(pattern); !regex) return std::unexpected(regex.error());
  return {};
}

Result<bool> matches_pattern(const std::string& pattern, const std::string& value) {
  if (value.size() > kValueBytes) {
    return fail(ErrorCode::limit, "is longer than the {} bytes that can be matched with a pattern", kValueBytes);
  }
  const auto regex = compile(pattern);
  if (!regex) return std::unexpected(regex.error());
  try {
    return std::regex_match(value, *regex);
  } catch (const std::regex_error& error) {
    return fail(ErrorCode::limit, "cannot be matched with its pattern: {}", error.what());
  }
}

}  // namespace baton::workflow
