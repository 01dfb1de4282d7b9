// How many files and connections a program may have open.
#pragma once
#include <baton/base/result.hpp>

#include <string_view>

namespace baton {

// Fewer are refused in one line, instead of hanging on the first connection that cannot be made. Errors: io.
inline constexpr unsigned long kFewestDescriptors = 64;
Result<> check_descriptor_limit(std::string_view program);

}  // namespace baton
