// The way from a scalar's text back to the file, whatever the style it is written in.
#pragma once
#include <cstddef>
#include <string_view>

#include "expression_program.hpp"
#include "yaml_tree.hpp"

namespace baton::workflow {

// Where each character of the scalar's text stands. Of an alias: where what it stands for is written.
Origin origin_of(const SourceText& source, Node scalar);
// Where the value itself begins that begins at `at` with its anchor and tag, if it has any.
std::size_t behind_properties(std::string_view source, std::size_t at);

}  // namespace baton::workflow
