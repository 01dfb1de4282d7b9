// Descriptors 0, 1 and 2, which a program may be started without.
#pragma once
#include <baton/base/result.hpp>

#include <string_view>

namespace baton {

// Puts something in the place of those that are closed, so that no file or socket gets their numbers: reading and
// writing fail as before (EBADF), into nothing else. The first thing that a program does.
void keep_standard_streams();

// A line on standard error. Who cannot be told is not told: the log may be on a disk that is full, which is no reason
// to end (and fmt::print throws).
void tell(std::string_view line);

// All of `text` on standard output. Errors: disk_full, io.
Result<> write_output(std::string_view text);

}  // namespace baton
