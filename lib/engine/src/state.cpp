#include <baton/engine/state.hpp>

#include <array>

namespace baton::engine {

std::string_view to_string(RunState state) {
  constexpr std::array<std::string_view, 5> kNames{"queued", "running", "succeeded", "failed", "cancelled"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_string(InstancePhase phase) {
  constexpr std::array<std::string_view, kInstancePhases> kNames{
      "waiting",           "ready",     "starting", "running", "unreachable",     "backoff",
      "awaiting_approval", "succeeded", "failed",   "skipped", "upstream_failed", "cancelled"};
  return kNames[static_cast<std::size_t>(phase)];
}

std::string_view to_string(AttemptState state) {
  constexpr std::array<std::string_view, 5> kNames{"starting", "running", "succeeded", "failed", "cancelled"};
  return kNames[static_cast<std::size_t>(state)];
}

InstancePhase phase_of(const InstanceState& state) {
  using enum InstancePhase;
  // In the order of InstanceState's alternatives.
  constexpr std::array<InstancePhase, std::variant_size_v<InstanceState>> kPhases{
      waiting, ready,     starting, running, unreachable,     backoff,  awaiting_approval,
      running, succeeded, failed,   skipped, upstream_failed, cancelled};
  return kPhases[state.index()];
}

}  // namespace baton::engine
