// Kubernetes-style quantities (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
#pragma once
#include <baton/base/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace baton {

// Thousandths: "2" → 2000, "500m" → 500, "0.25" → 250. Not negative; finer than a thousandth is an error.
Result<std::int64_t> parse_milli(std::string_view text);
// Bytes: plain, k M G T P (powers of 1000), Ki Mi Gi Ti Pi (powers of 1024), with a decimal fraction ("1.5G");
// part of a byte counts as one.
Result<std::int64_t> parse_bytes(std::string_view text);

// "2", "0.5", "250m"-free: thousandths as a decimal number.
std::string format_milli(std::int64_t milli);
// The largest binary unit with at most one decimal: "512Mi", "1.5Gi", "0".
std::string format_bytes(std::int64_t bytes);

}  // namespace baton
