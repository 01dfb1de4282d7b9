// One seed: a plan is carried out, everything is checked after every step, then the faults stop and every run must end.
#pragma once
#include <optional>
#include <string>

#include "plan.hpp"

namespace baton::sim {

struct Outcome {
  std::optional<Violation> violation;
  std::uint64_t steps = 0;
  std::uint64_t digest = 0;  // of everything that happened: the same for a seed in every build
};

// `folder`: on a fast file system; it is emptied first.
Outcome simulate(std::uint64_t seed, const Plan& plan, const std::string& folder, bool trace);

// The plan without what the violation does not need.
Plan shrink(std::uint64_t seed, Plan plan, const std::string& folder, const std::string& invariant);

}  // namespace baton::sim
