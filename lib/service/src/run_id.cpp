#include <baton/service/run_id.hpp>

#include <algorithm>
#include <string_view>

namespace baton::service {
namespace {

constexpr std::chrono::sys_days kEpoch = std::chrono::year{2025} / 1 / 1;
constexpr int kTimeCharacters = 8;
constexpr int kRandomCharacters = 5;

void append_base32(std::string& out, std::uint64_t value, int characters) {
  constexpr std::string_view kDigits = "0123456789abcdefghjkmnpqrstvwxyz";
  for (int i = characters - 1; i >= 0; --i) out += kDigits[(value >> (5 * i)) & 31];
}

}  // namespace

std::string RunIds::next(TimePoint now) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - kEpoch).count();
  last_ = std::max<std::int64_t>(since, last_ + 1);
  std::string id;
  append_base32(id, static_cast<std::uint64_t>(last_), kTimeCharacters);
  append_base32(id, random_(), kRandomCharacters);
  return id;
}

}  // namespace baton::service
