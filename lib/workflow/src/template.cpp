#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <algorithm>
#include <span>
#include <utility>

#include "expression_program.hpp"

namespace baton::workflow {
namespace {

constexpr std::string_view kEscapedOpen = "$${{";

struct Close {
  std::size_t at = std::string_view::npos;
  bool in_quotes = false;
};

// Where the `}}` stands that ends the expression at `at`: not one inside of quotes. If the quotes do not pair, the
// first `}}` is taken, so that the compiler can say which quote is open.
Close find_close(std::string_view text, std::size_t at) {
  const std::size_t first = text.find(kExpressionClose, at);
  if (first == std::string_view::npos) return {};
  char quote = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++at;
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (text.substr(at).starts_with(kExpressionClose)) {
      return {at, false};
    }
  }
  return {first, true};
}

// Where the bytes of a text stand in the file, asked for in ascending order: no byte is looked at twice.
class Places {
 public:
  Places(std::string_view text, const Origin& origin)
      : text_(text), marks_(origin.marks), start_(origin.pos), pos_(origin.pos), exact_(origin.exact) {}
  // Of the text from `begin` to `end`.
  Origin at(std::size_t begin, std::size_t end) {
    for (; !marks_.empty() && marks_.front().offset <= begin; marks_ = marks_.subspan(1)) {
      start_ = pos_ = marks_.front().pos;
      exact_ = true;
      reached_ = marks_.front().offset;
    }
    const Origin before{.pos = pos_, .exact = exact_, .marks = {}};
    const std::string_view piece = text_.substr(reached_, begin - reached_);
    Origin here = before.from(piece, piece.size());
    if (!here.exact) here.pos = start_;
    pos_ = here.pos;
    exact_ = here.exact;
    reached_ = begin;
    for (const Origin::Mark& mark : marks_) {
      if (mark.offset >= end) break;
      here.marks.push_back({mark.offset - static_cast<std::uint32_t>(begin), mark.pos});
    }
    return here;
  }

 private:
  std::string_view text_;
  std::span<const Origin::Mark> marks_;  // those not reached
  SourcePos start_;                      // of the last one reached
  SourcePos pos_;
  bool exact_;
  std::size_t reached_ = 0;
};

}  // namespace

std::optional<Template> Template::compile(std::string_view text, SourcePos pos, const CheckContext& context,
                                          std::vector<Diagnostic>& diagnostics) {
  return compile_at(text, Origin{.pos = pos, .marks = {}}, context, diagnostics);
}

std::optional<Template> Template::compile_at(std::string_view text, const Origin& origin, const CheckContext& context,
                                             std::vector<Diagnostic>& diagnostics) {
  const Messages messages{text, origin, diagnostics};
  Places places(text, origin);
  Template result;
  std::string literal;
  bool good = true;
  std::size_t at = 0, expressions = 0;
  while (good || !messages.full()) {
    const std::size_t open = text.find(kExpressionOpen, at);
    if (open == std::string_view::npos) break;
    if (open > at && text.substr(open - 1).starts_with(kEscapedOpen)) {
      literal += text.substr(at, open - 1 - at);
      literal += kExpressionOpen;
      at = open + kExpressionOpen.size();
      continue;
    }
    literal += text.substr(at, open - at);
    const std::size_t begin = open + kExpressionOpen.size();
    if (++expressions > limits::kTextExpressions) {
      messages.error(open, fmt::format("the text has more than {} expressions", limits::kTextExpressions));
      return std::nullopt;
    }
    const Close close = find_close(text, begin);
    if (close.at == std::string_view::npos) {
      messages.error(open, "this `${{` has no closing `}}`", "the characters themselves are written `$${{`");
      return std::nullopt;
    }
    at = close.at + kExpressionClose.size();
    const bool whole = open == 0 && at == text.size();
    auto expression = compile_expression(text.substr(begin, close.at - begin), places.at(begin, close.at), whole,
                                         context, diagnostics);
    if (!expression && close.in_quotes) return std::nullopt;  // where the next one begins is anybody's guess
    good = good && expression.has_value();
    if (!expression) continue;
    result.literals_.push_back(std::exchange(literal, {}));
    result.expressions_.push_back(*std::move(expression));
  }
  if (!good) return std::nullopt;
  literal += text.substr(at);
  if (result.expressions_.empty()) return Template::literal(std::move(literal));
  result.literals_.push_back(std::move(literal));
  result.source_ = text;
  return result;
}

Template Template::literal(std::string text) {
  Template result;
  result.source_ = std::move(text);
  return result;
}

Result<Value> Template::evaluate(const EvalContext& context) const {
  if (is_literal()) return Value(source_);
  if (expressions_.size() == 1 && literals_[0].empty() && literals_[1].empty())
    return expressions_[0].evaluate(context);
  std::string out = literals_[0];
  for (std::size_t i = 0; i < expressions_.size(); ++i) {
    const Result<Value> value = expressions_[i].evaluate(context);
    if (!value) return value;
    out += to_text(*value);
    out += literals_[i + 1];
    if (out.size() > limits::kExpressionValueBytes) {
      return fail(ErrorCode::limit, "`{}` becomes larger than {} bytes", shown(source_), limits::kExpressionValueBytes);
    }
  }
  return Value(std::move(out));
}

Result<std::string> Template::evaluate_text(const EvalContext& context) const {
  const Result<Value> value = evaluate(context);
  if (!value) return std::unexpected(value.error());
  return to_text(*value);
}

std::size_t Template::least_bytes() const {
  if (is_literal()) return source_.size();
  std::size_t bytes = 0;
  for (const std::string& literal : literals_) bytes += literal.size();
  return bytes;
}

bool Template::uses_needs() const {
  return std::any_of(expressions_.begin(), expressions_.end(), [](const Expression& e) { return e.uses_needs(); });
}

bool Template::uses_matrix() const {
  return std::any_of(expressions_.begin(), expressions_.end(), [](const Expression& e) { return e.uses_matrix(); });
}

std::optional<std::string> Template::secret() const {
  // A secret is only compiled where it is the whole text.
  return expressions_.size() == 1 ? expressions_[0].secret() : std::nullopt;
}

}  // namespace baton::workflow
