// Every graph of up to four tasks, with every combination of conditions, ends and disturbances that a table lists:
// small graphs are enumerated, not sampled.
#pragma once
#include <string>

namespace baton::sim {

// Prints a table; 0, or 1 after a violation.
int run_enumeration();

// "graph N", a tab and the invariant that is broken first; empty if none is. For deliberate defects.
std::string first_violation_of_enumeration();

}  // namespace baton::sim
