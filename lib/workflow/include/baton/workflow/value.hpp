// The values that expressions work on: JSON's.
#pragma once
#include <nlohmann/json.hpp>

namespace baton {

// Objects keep their keys sorted, so that printing a value is deterministic.
using Value = nlohmann::json;

}  // namespace baton
