// Text as part of a shell command.
#pragma once
#include <string>
#include <string_view>

namespace baton::cli {

// One word: as it is if it is a name, else in single quotes, which bash, zsh and fish read alike.
std::string shell_quoted(std::string_view text);

}  // namespace baton::cli
