// Small file systems that a test may fill, and processes for what a test cannot undo.
#pragma once
#include <functional>
#include <string>

namespace baton::testing {

// Runs `work` in a process of its own and returns what it returns: for what changes the whole process.
std::string in_child(const std::function<std::string()>& work);

// Runs `work` in a process of its own with a tmpfs on `folder` (options: "size=14m"), which only that one sees, and
// fails the case with what it returns. Skips it where neither root nor a user namespace may mount.
void check_on_small_disk(const std::string& folder, const char* options, const std::function<std::string()>& work);

// Makes a file take all the room that is left.
void fill_disk(const std::string& path);

}  // namespace baton::testing
