// What cannot be tested here: said, and seen by ctest.
#pragma once
#include <string>

namespace baton::testing {

// Says why; the case then returns. (Debian 12's Catch2 has no SKIP.)
void skip(const std::string& why);

}  // namespace baton::testing
