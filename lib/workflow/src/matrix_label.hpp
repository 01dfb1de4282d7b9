// The pieces of an instance's label, such as C=0.1.
#pragma once
#include <baton/workflow/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace baton::workflow {

inline constexpr std::size_t kLabelBytes = 128;
// The key under which dynamic mapping gives what is no object.
inline constexpr const char* kItem = "item";

// A value as the user would write it, other characters than [A-Za-z0-9_.:/+-] percent-encoded. Not much longer than
// kLabelBytes, however long the value is.
std::string encode_label(const Value& value);
std::string encode_label(std::string_view text);
// The labels of an axis' values, which end with `~v` and the value's index where an earlier one looks the same.
std::vector<std::string> label_values(const std::vector<Value>& values);
// At most kLabelBytes: a label that is longer, or not unique, ends with `~` and the index.
std::string cut_label(std::string label, std::uint32_t index, bool ambiguous);

}  // namespace baton::workflow
