// Text that comes from users and goes to terminals.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace baton {

// Control characters (C0, DEL, C1 as UTF-8, invalid UTF-8 bytes) as \n, \t, \x1b…; everything else as it is.
std::string escape_control(std::string_view text);

// ASCII letters only, whatever the locale.
std::string to_lower(std::string_view text);

// The candidate nearest to `word` by edit distance, if it is near enough to have been meant.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

// [A-Za-z0-9][A-Za-z0-9_.-]{0,63}: names of workflows, tasks, pools, environments, workers.
bool is_name(std::string_view text);
// [A-Za-z0-9_.-]{1,64}: ids that clients may choose.
bool is_id(std::string_view text);
// [A-Za-z_][A-Za-z0-9_]*: environment variables, parameters, outputs.
bool is_identifier(std::string_view text);
bool is_valid_utf8(std::string_view text);

}  // namespace baton
