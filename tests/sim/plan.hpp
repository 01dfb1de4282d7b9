// What a seed asks for and what goes wrong when.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "world.hpp"

namespace baton::sim {

enum class What : std::uint8_t {
  submit,
  cancel,
  retry,
  decide,
  clock_step,
  cut,
  freeze_daemon,
  crash_daemon,
  crash_before_commit,
  crash_after_commit,
  crash_in_release,
  crash_session,
  crash_in_session,
  crash_supervisor,
  crash_both,
  reboot,
  slow_disk,
  duplicate,
  tear_journal,
  full_disk,
  stop_session,
  full_worker_disk,
};
std::string_view to_string(What what);

struct Action {
  Time when = 0;
  What what = What::submit;
  std::uint64_t a = 0, b = 0;
};

// The files of a workflow, and when what happens.
struct Plan {
  std::vector<std::string> workflows;  // a main file's text; `child.yaml` is beside it
  std::string child;
  std::vector<Action> actions;
  std::size_t machines = 1;
};

// What every simulation is configured with. Pools that are not in it have one slot.
inline const std::vector<std::string> kMachineNames{"local", "far"};  // which are their labels, too
inline const std::map<std::string, std::int64_t> kPools{{"wide", 3}};

Plan make_plan(std::uint64_t seed);

}  // namespace baton::sim
