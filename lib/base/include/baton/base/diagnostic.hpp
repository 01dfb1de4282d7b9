// Messages about a user's file, with the position the user can go to.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton {

// Both count from 1, columns in characters (UTF-8 code points); 0 means unknown.
struct SourcePos {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  auto operator<=>(const SourcePos&) const = default;
};

enum class Severity { error, warning };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;  // as the user named it
  SourcePos pos;
  std::string message;
  std::string hint;  // empty, or one line such as: did you mean `needs`?
  bool operator==(const Diagnostic&) const = default;
};

// FILE:LINE:COLUMN: error: message, then the source line and a caret, then the hint. Long lines are cut around the
// caret, control characters escaped; `source` may be empty. Ends with a newline.
std::string render(const Diagnostic& diagnostic, std::string_view source);

// All errors in one line, without their source lines: FILE:LINE:COLUMN: message (hint); …
std::string in_one_line(const std::vector<Diagnostic>& diagnostics);

bool has_errors(const std::vector<Diagnostic>& diagnostics);

}  // namespace baton
