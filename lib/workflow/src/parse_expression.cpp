// The fields that hold expressions.
#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <algorithm>

#include "parse.hpp"
#include "scalar.hpp"
#include "scalar_place.hpp"

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

void report(FileContext& file, std::vector<Diagnostic> diagnostics) {
  if (std::exchange(file.refers_to_broken, false)) return;
  file.problems.add(std::move(diagnostics));
}

}  // namespace

bool looks_like_expression(Node node) { return node.is_scalar() && node.text().starts_with(kExpressionOpen); }

std::optional<Template> compile_template(FileContext& file, Node node, const Scope& scope) {
  const std::string_view text = node.text();
  if (text.find(kExpressionOpen) == std::string_view::npos) return Template::literal(std::string(text));
  if (file.problems.full() || !count_expressions(file, node, expressions_in(text))) return std::nullopt;
  set_scope(file.check, scope);
  std::vector<Diagnostic> diagnostics;
  auto result = Template::compile_at(text, origin_of(file.problems.source(), node), file.check, diagnostics);
  report(file, std::move(diagnostics));
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
  const Origin origin = origin_of(file.problems.source(), node).from(node.text().substr(0, at + text.size()), at);
  std::vector<Diagnostic> diagnostics;
  auto result = Expression::compile_at(text, origin, file.check, diagnostics);
  report(file, std::move(diagnostics));
  return result;
}

}  // namespace baton::workflow
