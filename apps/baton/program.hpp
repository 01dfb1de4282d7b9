// The program: arguments in, exit code out. The one place that prints errors.
#pragma once
#include <string>
#include <vector>

#include "session.hpp"

namespace baton::cli {

// What a problem looks like on standard error: its diagnostics, then one line.
std::string render_problem(const api::Problem& problem);

// `arguments` without the program's name.
int run_program(std::vector<std::string> arguments, const EnvironmentLookup& environment);

}  // namespace baton::cli
