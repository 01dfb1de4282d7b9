#include <baton/base/limits.hpp>
#include <baton/worker/log_cap.hpp>

#include <fcntl.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

namespace baton::worker {
namespace {

constexpr std::uint64_t kBlock = 64u << 10;  // whole blocks of any file system, so that no byte is zeroed

}  // namespace

std::uint64_t log_cap() {
  const char* text = std::getenv("BATON_LOG_BYTES");
  const std::string_view wanted = text == nullptr ? "" : text;
  std::uint64_t bytes = 0;
  const auto parsed = std::from_chars(wanted.data(), wanted.data() + wanted.size(), bytes);
  const bool good = parsed.ec == std::errc() && parsed.ptr == wanted.data() + wanted.size();
  return good && bytes >= 4 * kBlock ? bytes : limits::kAttemptLogBytes;
}

void cap_log(int segment, std::uint64_t from, std::uint64_t to, std::uint64_t cap) {
  if (to <= from || to - from <= cap) return;
  const std::uint64_t head = (from + cap / 4 + kBlock - 1) / kBlock * kBlock;
  const std::uint64_t tail = (to - cap / 2) / kBlock * kBlock;
  if (tail <= head) return;
  ::fallocate(segment, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(head),
              static_cast<off_t>(tail - head));
}

}  // namespace baton::worker
