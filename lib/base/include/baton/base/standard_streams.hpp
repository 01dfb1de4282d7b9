// Descriptors 0, 1 and 2, which a program may be started without.
#pragma once

namespace baton {

// Puts something in the place of those that are closed, so that no file or socket gets their numbers: reading and
// writing fail as before (EBADF), into nothing else. The first thing that a program does.
void keep_standard_streams();

}  // namespace baton
