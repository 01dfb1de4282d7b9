// Deliberate defects of the production code (baton/base/mutation.hpp): each must be caught.
#pragma once
#include <cstdint>
#include <string_view>

namespace baton::sim {

// Turns one on for the rest of this process; false: there is none of that name.
bool activate(std::string_view name);

// Each in a process of its own, seeds 1 to `most` until one catches it. Prints a table; 0 if all are caught.
int run_mutations(std::uint64_t most);

}  // namespace baton::sim
