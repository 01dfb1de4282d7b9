// The boot id of a worker's host, as it was when attempts were last given to it. It tells a session that lost its
// journal with the machine from one that never got an attempt.
#pragma once
#include <baton/base/result.hpp>

#include <string>

namespace baton::executor {

// Empty if there is none (or it cannot be read: then the worker's own journal has to do).
std::string read_boot_file(const std::string& path);
// Durable when it returns. Does nothing if the file says so already.
Result<> write_boot_file(const std::string& path, const std::string& boot_id);

}  // namespace baton::executor
