// What the supervisor and its sessions say of problems: on stderr, which is the worker folder's supervisor.log.
#pragma once
#include <string>

namespace baton::worker {

// One line. A log that has grown too long loses its beginning first.
void say(const std::string& problem);

}  // namespace baton::worker
