// The file a task appends its outputs to, in GitHub Actions' format:
//   name=value
//   name<<EOF
//   many lines
//   EOF
#pragma once
#include <baton/base/result.hpp>

#include <map>
#include <string>
#include <string_view>

namespace baton::worker {

// Every output in the file; of a name that comes twice the last counts. Empty lines are skipped. invalid_argument: with
// the line number and what is wrong with it.
Result<std::map<std::string, std::string>> parse_outputs(std::string_view text);

}  // namespace baton::worker
