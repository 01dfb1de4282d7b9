#include "shell.hpp"

#include <baton/base/text.hpp>

namespace baton::cli {

std::string shell_quoted(std::string_view text) {
  if (is_name(text)) return std::string(text);
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace baton::cli
