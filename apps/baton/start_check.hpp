// What a start of the daemon would refuse. The daemon's program knows it; it starts nothing and changes nothing.
#pragma once
#include <baton/api/backend.hpp>

#include <vector>

#include "session.hpp"

namespace baton::cli {

// Findings as errors of `doctor`, or a warning that the program could not be asked.
std::vector<api::Check> check_start(const Locations& locations);

}  // namespace baton::cli
