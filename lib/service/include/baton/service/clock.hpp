// Where the service reads clocks; the engine gets its times from here.
#pragma once
#include <baton/base/time.hpp>

#include <ctime>

namespace baton::service {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time. It may be set, by any amount and in either direction.
  [[nodiscard]] virtual TimePoint now() const = 0;
  // Time since the machine was booted. Nobody sets it, and it goes on while the machine sleeps.
  [[nodiscard]] virtual Duration since_boot() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
  [[nodiscard]] Duration since_boot() const override {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return std::chrono::duration_cast<Duration>(std::chrono::seconds(time.tv_sec) +
                                                std::chrono::nanoseconds(time.tv_nsec));
  }
};

}  // namespace baton::service
