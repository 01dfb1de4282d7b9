// Completion scripts, generated from the command line itself so that they cannot fall behind it.
#pragma once
#include <string>

#include "arguments.hpp"

namespace baton::cli {

std::string bash_completion(const CommandTree& tree);
std::string zsh_completion(const CommandTree& tree);
std::string fish_completion(const CommandTree& tree);

}  // namespace baton::cli
