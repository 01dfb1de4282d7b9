// Small file systems that a test may fill, and processes for what a test cannot undo.
#pragma once
#include <functional>
#include <string>

namespace baton::testing {

// Runs `work` in a process of its own and returns what it returns: for what changes the whole process.
std::string in_child(const std::function<std::string()>& work);

// Runs `work` with a tmpfs on `folder` (options: "size=14m"), which only its process sees; empty where that is not
// allowed.
std::string on_small_disk(const std::string& folder, const char* options, const std::function<std::string()>& work);

// Makes a file take all the room that is left.
void fill_disk(const std::string& path);

}  // namespace baton::testing
