#include "time_zone.hpp"

#include <baton/base/text.hpp>
#include <baton/calendar/cron.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <vector>

namespace baton::calendar {
namespace {

std::string_view city(std::string_view zone) { return zone.substr(zone.rfind('/') + 1); }

std::vector<std::string> zone_names() {
  std::vector<std::string> names{"UTC"};
  try {
    for (const date::time_zone& zone : date::get_tzdb().zones) names.push_back(zone.name());
  } catch (const std::exception&) {  // a machine without tzdata knows UTC only
  }
  return names;
}

}  // namespace

std::optional<Zone> Zone::find(std::string_view name) {
  Zone found;
  if (name == "UTC" || name == "Etc/UTC") return found;
  try {
    found.zone_ = date::locate_zone(name);
    (void)found.zone_->get_info(date::sys_seconds{});  // reads the file, once
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return found;
}

date::sys_info Zone::at(date::sys_seconds instant) const {
  if (zone_ != nullptr) return zone_->get_info(instant);
  date::sys_info utc{};
  utc.begin = date::sys_seconds::min();
  utc.end = date::sys_seconds::max();
  return utc;
}

date::sys_seconds Zone::first_instant(date::local_seconds wall) const {
  if (zone_ == nullptr) return date::sys_seconds(wall.time_since_epoch());
  const date::local_info info = zone_->get_info(wall);
  if (info.result == date::local_info::nonexistent) return info.first.end;
  return date::sys_seconds((wall - info.first.offset).time_since_epoch());
}

bool is_time_zone(std::string_view name) { return Zone::find(name).has_value(); }

std::optional<std::string> nearest_time_zone(std::string_view name) {
  if (name.empty()) return std::nullopt;
  const std::vector<std::string> names = zone_names();
  const std::string wanted = to_lower(name);
  std::vector<std::string> lowered;
  lowered.reserve(names.size());
  for (const std::string& zone : names) lowered.push_back(to_lower(zone));
  const auto original = [&](auto found) { return names[static_cast<std::size_t>(found - lowered.begin())]; };
  if (const auto same = std::find(lowered.begin(), lowered.end(), wanted); same != lowered.end()) return original(same);
  const auto same_city =
      std::find_if(lowered.begin(), lowered.end(), [&](const std::string& zone) { return city(zone) == wanted; });
  if (same_city != lowered.end()) return original(same_city);
  const std::vector<std::string_view> candidates(lowered.begin(), lowered.end());
  const auto near = nearest(wanted, candidates);
  if (!near) return std::nullopt;
  return original(std::find(lowered.begin(), lowered.end(), *near));
}

}  // namespace baton::calendar
