// The fields that hold expressions.
#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <algorithm>

#include "parse.hpp"
#include "scalar.hpp"

namespace baton::workflow {
namespace {

void set_scope(CheckContext& check, const Scope& scope) {
  check.field = scope.field;
  check.allow_needs = scope.needs;
  check.allow_matrix = scope.matrix;
  check.allow_status = scope.status;
  check.allow_env = scope.env;
  check.allow_secrets = scope.secrets;
  check.allow_run = true;
}

// About how many expressions a text has: those that are written inside of another one's quotes count too.
std::size_t expressions_in(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find(kExpressionOpen); at != std::string_view::npos;
       at = text.find(kExpressionOpen, at + kExpressionOpen.size())) {
    if (at == 0 || text[at - 1] != '$') ++count;
  }
  return count;
}

bool count_expressions(FileContext& file, Node node, std::size_t more) {
  if (file.expressions > limits::kExpressions) return false;
  file.expressions += more;
  if (file.expressions <= limits::kExpressions) return true;
  file.problems.error(node.offset(), fmt::format("the file has more than {} expressions", limits::kExpressions));
  return false;
}

// Where the text at `at` in the node's value stands in the file. A text that was folded or has escapes is found by its
// first `${{`, which no style of YAML changes; unless its own characters are written as escapes.
struct Place {
  SourcePos pos;
  bool exact;
};
Place place(FileContext& file, Node node, std::size_t at) {
  const SourceText& source = file.problems.source();
  if (const auto begin = node.text_offset()) return {source.pos(*begin + at), true};
  constexpr std::size_t kEscapeBytes = 10;  // \U00000024 for one byte of text
  const std::size_t span = 64 + kEscapeBytes * node.text().size();
  const std::size_t found = source.text().substr(node.offset(), span).find(kExpressionOpen);
  return {source.pos(node.offset() + (found == std::string_view::npos ? 0 : found)), false};
}

void report(FileContext& file, std::vector<Diagnostic> diagnostics, const Place& where) {
  if (std::exchange(file.refers_to_broken, false)) return;
  if (!where.exact) {
    for (Diagnostic& diagnostic : diagnostics) diagnostic.pos = where.pos;
  }
  file.problems.add(std::move(diagnostics));
}

}  // namespace

bool looks_like_expression(Node node) { return node.is_scalar() && node.text().starts_with(kExpressionOpen); }

std::optional<Template> compile_template(FileContext& file, Node node, const Scope& scope) {
  const std::string_view text = node.text();
  if (text.find(kExpressionOpen) == std::string_view::npos) return Template::literal(std::string(text));
  if (file.problems.full() || !count_expressions(file, node, expressions_in(text))) return std::nullopt;
  set_scope(file.check, scope);
  const Place where = place(file, node, 0);
  std::vector<Diagnostic> diagnostics;
  auto result = Template::compile(text, where.pos, file.check, diagnostics);
  report(file, std::move(diagnostics), where);
  return result;
}

std::optional<Expression> compile_expression_field(FileContext& file, Node node, const Scope& scope, bool bare) {
  std::string_view text = node.text();
  constexpr std::string_view kBlanks = " \t\n";
  std::size_t at = std::min(text.find_first_not_of(kBlanks), text.size());
  text = text.substr(at, text.find_last_not_of(kBlanks) + 1 - at);
  if (text.starts_with(kExpressionOpen) && text.ends_with(kExpressionClose)) {
    at += kExpressionOpen.size();
    text = text.substr(kExpressionOpen.size(), text.size() - kExpressionOpen.size() - kExpressionClose.size());
  } else if (!bare || text.find(kExpressionOpen) != std::string_view::npos) {
    file.problems.error(node.offset(), fmt::format("`{}` must be one expression as a whole", scope.field),
                        "write ${{ … }} around all of it");
    return std::nullopt;
  }
  if (text.find(kExpressionOpen) != std::string_view::npos) {
    file.problems.error(node.offset(), fmt::format("`{}` must be one expression, not several", scope.field),
                        "write one ${{ … }} around all of it");
    return std::nullopt;
  }
  if (file.problems.full() || !count_expressions(file, node, 1)) return std::nullopt;
  set_scope(file.check, scope);
  const Place where = place(file, node, at);
  std::vector<Diagnostic> diagnostics;
  auto result = Expression::compile(text, where.pos, file.check, diagnostics);
  report(file, std::move(diagnostics), where);
  return result;
}

}  // namespace baton::workflow
