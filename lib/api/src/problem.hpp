// Problem documents (RFC 9457): how an error looks on the wire.
#pragma once
#include <baton/api/backend.hpp>
#include <nlohmann/json.hpp>

#include <limits>
#include <string_view>

namespace baton::api {

// The status an error is answered with when nothing more specific is known.
unsigned status_of(ErrorCode code);

nlohmann::json problem_json(const Problem& problem, unsigned status);

// What a client makes of an answer with this status: its problem document, or as good a guess as the status allows.
Problem parse_problem(std::string_view body, unsigned status);
Problem problem_from_json(const nlohmann::json& json, unsigned status);

// Text for the wire: bytes that are not UTF-8 are replaced, never thrown at.
std::string dump(const nlohmann::json& json);

// A JSON text nested no deeper than `max_depth`, of at most `max_values` values. Everything else is invalid_argument.
Result<nlohmann::json> parse_json(std::string_view text, std::size_t max_depth,
                                  std::size_t max_values = std::numeric_limits<std::size_t>::max());

}  // namespace baton::api
