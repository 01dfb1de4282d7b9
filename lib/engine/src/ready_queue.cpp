#include "ready_queue.hpp"

#include <algorithm>

namespace baton::engine {

std::strong_ordering Rank::operator<=>(const Rank& other) const {
  if (const auto order = other.priority <=> priority; order != 0) return order;
  if (const auto order = run <=> other.run; order != 0) return order;
  if (const auto order = other.height <=> height; order != 0) return order;
  return task <=> other.task;
}

std::uint32_t ReadyQueue::intern(const Shape& shape) {
  const auto [found, added] = ids_.try_emplace(shape, static_cast<std::uint32_t>(shapes_.size()));
  if (added) {
    shapes_.push_back(&found->first);
    queued_.emplace_back();
  }
  return found->second;
}

void ReadyQueue::push(std::uint32_t shape, const Rank& rank) { queued_[shape].insert(rank); }

void ReadyQueue::erase(std::uint32_t shape, const Rank& rank) { queued_[shape].erase(rank); }

void ReadyQueue::park(const Blocker& blocker, std::uint32_t shape, const Rank& rank) {
  queued_[shape].erase(rank);
  parked_[blocker].emplace(rank, shape);
}

void ReadyQueue::unpark(const Rank& rank) {
  for (auto entry = parked_.begin(); entry != parked_.end();) {
    entry->second.erase(rank);
    entry = entry->second.empty() ? parked_.erase(entry) : std::next(entry);
  }
}

std::optional<Rank> ReadyQueue::release(const Blocker& blocker) {
  const auto found = parked_.find(blocker);
  if (found == parked_.end()) return std::nullopt;
  const auto first = found->second.begin();
  const Rank released = first->first;
  queued_[first->second].insert(released);
  found->second.erase(first);
  if (found->second.empty()) parked_.erase(found);
  return released;
}

std::vector<Rank> ReadyQueue::release_all() {
  std::vector<Rank> released;
  for (const auto& [blocker, groups] : parked_) {
    for (const auto& [rank, shape] : groups) {
      queued_[shape].insert(rank);
      released.push_back(rank);
    }
  }
  parked_.clear();
  return released;
}

std::optional<ReadyQueue::Head> ReadyQueue::first(const std::vector<bool>& exhausted) const {
  std::optional<Head> best;
  for (std::uint32_t shape = 0; shape < queued_.size(); ++shape) {
    if (exhausted[shape] || queued_[shape].empty()) continue;
    const Rank& rank = *queued_[shape].begin();
    if (!best || rank < best->rank) best = Head{shape, rank};
  }
  return best;
}

std::optional<Blocker> ReadyQueue::parked_on(const Rank& rank) const {
  for (const auto& [blocker, groups] : parked_) {
    if (groups.contains(rank)) return blocker;
  }
  return std::nullopt;
}

bool ReadyQueue::any_queued() const {
  return std::any_of(queued_.begin(), queued_.end(), [](const std::set<Rank>& groups) { return !groups.empty(); });
}

}  // namespace baton::engine
