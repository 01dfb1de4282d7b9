#include "route.hpp"

#include <baton/api/server.hpp>

#include "requests/requests.hpp"

namespace baton::api {
namespace {

bool fits(std::string_view pattern, std::span<const std::string> segments, std::vector<std::string>& captures) {
  captures.clear();
  for (const std::string& segment : segments) {
    if (!pattern.starts_with('/')) return false;
    pattern.remove_prefix(1);
    const std::string_view expected = pattern.substr(0, pattern.find('/'));
    pattern.remove_prefix(expected.size());
    if (expected.starts_with('{')) {
      if (segment.empty()) return false;
      captures.push_back(segment);
    } else if (expected != segment) {
      return false;
    }
  }
  return pattern.empty();
}

}  // namespace

std::span<const Route> routes() {
  static const std::vector<Route> table{
      requests::info(),       requests::submit(),       requests::runs(),        requests::run(),
      requests::tasks(),      requests::why(),          requests::cancel(),      requests::retry(),
      requests::approve(),    requests::reject(),       requests::logs(),        requests::workflow_source(),
      requests::log(),        requests::approve_task(), requests::reject_task(), requests::run_events(),
      requests::all_events(), requests::workers(),      requests::doctor(),      requests::shutdown(),
      requests::reload(),
  };
  return table;
}

Match match(std::string_view method, std::span<const std::string> segments) {
  Match result;
  std::vector<std::string> captures;
  for (const Route& route : routes()) {
    if (!fits(route.path, segments, captures)) continue;
    if (route.method == method) return {&route, std::move(captures), {}};
    if (!result.allow.empty()) result.allow += ", ";
    result.allow += route.method;
  }
  return result;
}

std::vector<RouteName> route_names() {
  std::vector<RouteName> names;
  for (const Route& route : routes()) names.push_back({route.method, route.path});
  return names;
}

}  // namespace baton::api
