#pragma once
#include <string>
#include <string_view>

namespace baton::store {

// 128 random bits in hex: tells one state directory from every other. Throws SqlError.
std::string make_state_id();
bool is_state_id(std::string_view text);

}  // namespace baton::store
