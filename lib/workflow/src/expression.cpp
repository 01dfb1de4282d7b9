#include <fmt/format.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>
#include <baton/workflow/expression.hpp>

#include <algorithm>

#include "expression_program.hpp"

namespace baton::workflow {

Origin Origin::from(std::string_view text, std::size_t offset) const {
  const auto behind = std::upper_bound(marks.begin(), marks.end(), offset,
                                       [](std::size_t at, const Mark& mark) { return at < mark.offset; });
  Origin result{.pos = pos, .exact = exact, .marks = {}};
  std::size_t begin = 0;
  if (behind != marks.begin()) {
    const Mark& last = *std::prev(behind);
    result.pos = last.pos;
    result.exact = true;
    begin = last.offset;
  }
  const std::string_view before = text.substr(begin, offset - begin);
  result.exact = result.exact && result.pos.line != 0 && before.find('\n') == std::string_view::npos;
  if (result.exact) {
    const auto characters = std::count_if(before.begin(), before.end(),
                                          [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    result.pos.column += static_cast<std::uint32_t>(characters);
  }
  for (auto mark = behind; mark != marks.end() && mark->offset < text.size(); ++mark) {
    result.marks.push_back({mark->offset - static_cast<std::uint32_t>(offset), mark->pos});
  }
  return result;
}

SourcePos Origin::at(std::string_view text, std::size_t offset) const {
  return from(text.substr(0, offset), offset).pos;
}

bool Messages::full() const { return out.size() >= limits::kDiagnostics; }

void Messages::error(std::size_t offset, std::string message, std::string hint) const {
  if (full()) return;
  out.push_back({Severity::error, "", origin.at(text, offset), std::move(message), std::move(hint)});
}

std::optional<Expression> compile_expression(std::string_view text, Origin origin, bool secret_allowed,
                                             const CheckContext& context, std::vector<Diagnostic>& diagnostics) {
  constexpr std::string_view kSpaces = " \t\r\n";
  if (const std::size_t first = text.find_first_not_of(kSpaces); first != std::string_view::npos) {
    origin = origin.from(text, first);
    text = text.substr(first, text.find_last_not_of(kSpaces) + 1 - first);
  } else {
    text = {};
  }
  const Messages messages{text, origin, diagnostics};
  if (text.size() > limits::kExpressionBytes) {
    messages.error(0, fmt::format("the expression is longer than {} bytes", limits::kExpressionBytes));
    return std::nullopt;
  }
  if (!is_valid_utf8(text)) {
    messages.error(0, "the expression is not valid UTF-8");
    return std::nullopt;
  }
  auto program = std::make_shared<Expression::Node>();
  program->text = text;
  program->origin = origin;
  if (!parse_expression(text, messages, program->code)) return std::nullopt;
  if (!check_expression(context, secret_allowed, messages, *program)) return std::nullopt;
  Expression expression;
  expression.root_ = std::move(program);
  return expression;
}

std::optional<Expression> Expression::compile(std::string_view text, SourcePos pos, const CheckContext& context,
                                              std::vector<Diagnostic>& diagnostics) {
  return compile_at(text, Origin{.pos = pos, .marks = {}}, context, diagnostics);
}

std::optional<Expression> Expression::compile_at(std::string_view text, const Origin& origin,
                                                 const CheckContext& context, std::vector<Diagnostic>& diagnostics) {
  return compile_expression(text, origin, true, context, diagnostics);
}

Type Expression::type() const { return root_ ? root_->type : Type::any; }

const std::string& Expression::text() const {
  static const std::string kEmpty;
  return root_ ? root_->text : kEmpty;
}

bool Expression::uses_status_function() const { return root_ && root_->status; }
bool Expression::uses_needs() const { return root_ && root_->needs; }
bool Expression::uses_matrix() const { return root_ && root_->matrix; }

std::optional<std::string> Expression::secret() const {
  if (!root_ || root_->secret.empty()) return std::nullopt;
  return root_->secret;
}

}  // namespace baton::workflow
