// The two clocks of a worker: wall time for people, time since boot for everything that is compared.
#pragma once
#include <baton/base/time.hpp>

#include <cstdint>
#include <ctime>

namespace baton::worker {

// Nanoseconds since boot (CLOCK_BOOTTIME): what process start times in /proc are measured in. Async-signal-safe.
inline std::uint64_t boot_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

inline TimePoint wall_time() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

}  // namespace baton::worker
