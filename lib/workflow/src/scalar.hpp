// Scalars by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema); quoted ones are always
// strings.
#pragma once
#include <baton/workflow/value.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

#include "yaml_tree.hpp"

namespace baton::workflow {

enum class ScalarType : std::uint8_t { null, boolean, integer, number, string };

ScalarType scalar_type(std::string_view plain);
// "a string", "an integer", "a list", …: what the node is, for messages.
std::string_view described(Node node);

std::optional<bool> as_bool(Node node);
std::optional<std::int64_t> as_integer(Node node);  // nullopt too if it does not fit
std::optional<double> as_number(Node node);         // finite ones
bool is_string(Node node);

// The node as JSON; nullopt after reporting a number that JSON does not have (infinite, not a number, too large).
std::optional<Value> to_value(Node node, Problems& problems);

}  // namespace baton::workflow
