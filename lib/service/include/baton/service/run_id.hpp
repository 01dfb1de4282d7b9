// Public run ids: short, lower case, sorted by time.
#pragma once
#include <baton/base/time.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace baton::service {

// Eight characters of time (milliseconds since 2025, good until 2059) and five of chance, in Crockford's base 32
// (https://www.crockford.com/base32.html). The time part never repeats within one generator, also when the clock does.
class RunIds {
 public:
  explicit RunIds(std::function<std::uint32_t()> random) : random_(std::move(random)) {}
  std::string next(TimePoint now);

 private:
  std::function<std::uint32_t()> random_;
  std::int64_t last_ = -1;
};

}  // namespace baton::service
