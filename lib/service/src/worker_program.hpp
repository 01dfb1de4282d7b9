// Where this host's baton-worker is.
#pragma once
#include <string>

namespace baton::service {

// Beside this program, else on PATH.
std::string find_worker_program();

}  // namespace baton::service
