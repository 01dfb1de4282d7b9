// What libFuzzer calls. BATON_FUZZ_TARGET: the target's name.
#include <cstddef>
#include <cstdint>

#include "target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  baton::fuzz::BATON_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
