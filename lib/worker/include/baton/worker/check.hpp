// The check of a worker folder that `baton doctor --fsck` makes, on the worker's host and without changing anything.
#pragma once
#include <baton/base/result.hpp>

#include <string>
#include <vector>

namespace baton::worker {

// One line for each finding; empty: all is well. Errors: the folder cannot be read.
Result<std::vector<std::string>> check_folder(const std::string& path);

}  // namespace baton::worker
