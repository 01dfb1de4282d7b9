// The fields that hold expressions.
#include <fmt/format.h>

#include <algorithm>

#include "parse.hpp"
#include "scalar.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kExpressions = 1'000'000;  // in one file; each takes some hundred bytes

void set_scope(CheckContext& check, const Scope& scope) {
  check.field = scope.field;
  check.allow_needs = scope.needs;
  check.allow_matrix = scope.matrix;
  check.allow_status = scope.status;
  check.allow_env = scope.env;
  check.allow_secrets = scope.secrets;
  check.allow_run = true;
}

bool count_expression(FileContext& file, Node node) {
  if (++file.expressions <= kExpressions) return true;
  if (file.expressions == kExpressions + 1) {
    file.problems.error(node.offset(), fmt::format("the file has more than {} expressions", kExpressions));
  }
  return false;
}

// Where the text at `at` in the node's value stands in the file. A text that was folded or has escapes is found by its
// first `${{`, which no style of YAML changes.
struct Place {
  SourcePos pos;
  bool exact;
};
Place place(FileContext& file, Node node, std::size_t at) {
  const SourceText& source = file.problems.source();
  if (const auto begin = node.text_offset()) return {source.pos(*begin + at), true};
  const std::size_t found = source.text().find(kExpressionOpen, node.offset());
  return {source.pos(found == std::string_view::npos ? node.offset() : found), false};
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
  if (!count_expression(file, node)) return std::nullopt;
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
  if (!count_expression(file, node)) return std::nullopt;
  set_scope(file.check, scope);
  const Place where = place(file, node, at);
  std::vector<Diagnostic> diagnostics;
  auto result = Expression::compile(text, where.pos, file.check, diagnostics);
  report(file, std::move(diagnostics), where);
  return result;
}

}  // namespace baton::workflow
