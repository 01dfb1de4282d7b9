#include <fmt/format.h>
#include <baton/base/diagnostic.hpp>
#include <baton/base/text.hpp>

#include <algorithm>

namespace baton {
namespace {

constexpr std::uint32_t kShownColumns = 120;

std::string_view line_of(std::string_view source, std::uint32_t line) {
  for (std::uint32_t i = 1; i < line; ++i) {
    const std::size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  if (source.ends_with('\r')) source.remove_suffix(1);
  return source;
}

// The byte at which the (1-based) column begins; the end of the line for columns behind it.
std::size_t byte_of_column(std::string_view line, std::uint32_t column) {
  std::size_t at = 0;
  for (std::uint32_t i = 1; i < column && at < line.size(); ++i) {
    do ++at;
    while (at < line.size() && (static_cast<unsigned char>(line[at]) & 0xc0) == 0x80);
  }
  return at;
}

std::size_t shown_width(std::string_view escaped) {
  return static_cast<std::size_t>(std::count_if(escaped.begin(), escaped.end(),
                                                [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string render(const Diagnostic& diagnostic, std::string_view source) {
  const std::string_view kind = diagnostic.severity == Severity::error ? "error" : "warning";
  std::string out = escape_control(diagnostic.file);
  if (diagnostic.pos.line != 0) out += fmt::format(":{}:{}", diagnostic.pos.line, std::max(1u, diagnostic.pos.column));
  out += fmt::format(": {}: {}\n", kind, escape_control(diagnostic.message));
  std::string_view line = diagnostic.pos.line == 0 ? std::string_view{} : line_of(source, diagnostic.pos.line);
  if (line.find_first_not_of(" \t") != std::string_view::npos) {
    const std::uint32_t column = std::min(diagnostic.pos.column, static_cast<std::uint32_t>(shown_width(line)) + 1);
    std::size_t caret = byte_of_column(line, column);
    if (column > kShownColumns / 2 && byte_of_column(line, kShownColumns + 1) < line.size()) {
      const std::size_t cut = byte_of_column(line, column - kShownColumns / 2);
      line.remove_prefix(cut);
      caret -= cut;
    }
    line = line.substr(0, byte_of_column(line, kShownColumns + 1));
    out += fmt::format("  {}\n  {}^\n", escape_control(line),
                       std::string(shown_width(escape_control(line.substr(0, std::min(caret, line.size())))), ' '));
  }
  if (!diagnostic.hint.empty()) out += fmt::format("  hint: {}\n", escape_control(diagnostic.hint));
  return out;
}

std::string in_one_line(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.severity != Severity::error) continue;
    text += text.empty() ? "" : "; ";
    text += diagnostic.file;
    if (diagnostic.pos.line != 0) text += fmt::format(":{}:{}", diagnostic.pos.line, diagnostic.pos.column);
    text += fmt::format(": {}", diagnostic.message);
    if (!diagnostic.hint.empty()) text += fmt::format(" ({})", diagnostic.hint);
  }
  return text;
}

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& d) { return d.severity == Severity::error; });
}

}  // namespace baton
