// Access to the system's time zone database that never throws.
#pragma once
#include <date/tz.h>

#include <optional>
#include <string_view>

namespace baton::calendar {

// A zone of the database, or UTC, which needs none.
class Zone {
 public:
  // nullopt: there is no such zone, or its file cannot be read.
  static std::optional<Zone> find(std::string_view name);

  // The offset from UTC and the span of time in which it holds.
  [[nodiscard]] date::sys_info at(date::sys_seconds instant) const;
  // The first instant at which clocks show `wall`; if they never do, the first one behind the gap.
  [[nodiscard]] date::sys_seconds first_instant(date::local_seconds wall) const;

 private:
  const date::time_zone* zone_ = nullptr;  // null: UTC. Zones live as long as the program
};

}  // namespace baton::calendar
