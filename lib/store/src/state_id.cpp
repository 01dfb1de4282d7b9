#include "state_id.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "connection.hpp"

namespace baton::store {

std::string make_state_id() {
  std::array<unsigned char, 16> bytes{};
  // Up to 256 bytes are never cut short (getrandom(2)).
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw SqlError(fail_errno(errno, "getrandom").error());
  }
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

bool is_state_id(std::string_view text) {
  return text.size() == 32 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace baton::store
