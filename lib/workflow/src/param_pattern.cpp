#include "param_pattern.hpp"

#include <baton/base/limits.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

namespace baton::workflow {
namespace {

constexpr std::size_t kLookaheadFactor = 64;
constexpr std::size_t kHuge = 1u << 20;  // sizes stop growing here

// Reads a pattern from left to right, with the sizes of the groups that are open.
class PartsCounter {
 public:
  explicit PartsCounter(std::string_view pattern) : rest_(pattern) {}

  std::size_t count() {
    while (!rest_.empty()) step();
    while (groups_.size() > 1) close();
    return capped(groups_.front().closed + groups_.front().last);
  }

 private:
  struct Group {
    std::size_t closed = 0;  // before the last atom
    std::size_t last = 0;    // the last atom, which a count behind it multiplies
    std::size_t factor = 1;
  };

  static std::size_t capped(std::size_t size) { return std::min(size, kHuge); }

  void step() {
    const char c = take();
    switch (c) {
      case '\\':
        if (!rest_.empty()) take();
        return atom(1);
      case '[':
        skip_class();
        return atom(1);
      case '(':
        return open();
      case ')':
        return groups_.size() > 1 ? close() : atom(1);
      case '*':
      case '+':
      case '?':
        return multiply(1);
      case '{':
        return multiply(take_count());
      default:
        return atom(1);
    }
  }

  char take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    return c;
  }

  void atom(std::size_t size) {
    Group& group = groups_.back();
    group.closed = capped(group.closed + group.last);
    group.last = size;
  }
  // A repetition is a part itself.
  void multiply(std::size_t times) {
    Group& group = groups_.back();
    group.last = capped((group.last + 1) * std::min(times, kHuge));
  }

  void open() {
    Group group;
    if (rest_.starts_with("?=") || rest_.starts_with("?!")) group.factor = kLookaheadFactor;
    if (rest_.starts_with('?')) rest_.remove_prefix(std::min<std::size_t>(rest_.size(), 2));
    groups_.push_back(group);
  }
  void close() {
    const Group group = groups_.back();
    groups_.pop_back();
    atom(capped((group.closed + group.last + 2) * group.factor));
  }

  // As the library reads it: up to the first `]` that is neither escaped nor the end of [:name:], [.x.] or [=x=].
  void skip_class() {
    while (!rest_.empty()) {
      const char c = take();
      if (c == ']') return;
      if (c == '\\' && !rest_.empty()) take();
      if (c != '[' || rest_.empty() || std::string_view(":.=").find(rest_.front()) == std::string_view::npos) continue;
      const char end[] = {take(), ']'};
      const std::size_t at = rest_.find(std::string_view(end, 2));
      rest_.remove_prefix(at == std::string_view::npos ? 0 : at + 2);
    }
  }

  // The greatest number in `{n}`, `{n,}` or `{n,m}`; one more where there is no end.
  std::size_t take_count() {
    std::size_t most = 1, last = 0;
    while (!rest_.empty()) {
      const char c = take();
      if (c == '}') break;
      if (c >= '0' && c <= '9') {
        last = capped(last * 10 + static_cast<std::size_t>(c - '0'));
        most = std::max(most, last);
      } else {
        last = 0;
        if (c == ',' && rest_.starts_with('}')) ++most;
      }
    }
    return most;
  }

  std::string_view rest_;
  std::vector<Group> groups_{Group{}};
};

}  // namespace

std::size_t pattern_parts(std::string_view pattern) { return PartsCounter(pattern).count(); }

Result<std::shared_ptr<const ParamPattern>> ParamPattern::compile(const std::string& pattern) {
  if (pattern.size() > limits::kPatternBytes) {
    return fail(ErrorCode::limit, "`pattern` is longer than {} bytes", limits::kPatternBytes);
  }
  const std::size_t parts = pattern_parts(pattern);
  if (parts > limits::kPatternParts) {
    return fail(ErrorCode::limit, "`pattern` has more than {} parts once its counts are written out",
                limits::kPatternParts);
  }
  try {
    auto compiled = std::make_shared<ParamPattern>();
    // The library's other algorithm backtracks: its time can be exponential and its stack as deep as the value is long.
    compiled->regex_.assign(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
    compiled->parts_ = parts;
    return compiled;
  } catch (const std::regex_error& error) {
    if (error.code() == std::regex_constants::error_complexity) {
      return fail(ErrorCode::invalid_argument, "`pattern` must do without back-references");
    }
    return fail(ErrorCode::invalid_argument, "`pattern` is not a regular expression: {}", error.what());
  }
}

Result<bool> ParamPattern::matches(const std::string& value) const {
  if (value.size() > limits::kPatternValueBytes) {
    return fail(ErrorCode::limit, "is longer than the {} bytes that can be matched with a pattern",
                limits::kPatternValueBytes);
  }
  try {
    return std::regex_match(value, regex_);
  } catch (const std::regex_error& error) {
    return fail(ErrorCode::limit, "cannot be matched with its pattern: {}", error.what());
  }
}

}  // namespace baton::workflow
