#include "ready_queue.hpp"

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

void ReadyQueue::push(std::uint32_t shape, const Rank& rank) {
  queued_[shape].insert(rank);
  filled_.insert(shape);
}

void ReadyQueue::erase(std::uint32_t shape, const Rank& rank) {
  queued_[shape].erase(rank);
  if (queued_[shape].empty()) filled_.erase(shape);
}

void ReadyQueue::park(const Blocker& blocker, std::uint32_t shape, const Rank& rank) {
  erase(shape, rank);
  const auto under = parked_.try_emplace(blocker).first;
  under->second[shape].insert(rank);
  places_.emplace(rank, Place{under, shape});
}

void ReadyQueue::wake(const Rank& rank) {
  push(places_.at(rank).shape, rank);
  unpark(rank);
}

void ReadyQueue::unpark(const Rank& rank) {
  const auto found = places_.find(rank);
  const auto [under, shape] = found->second;
  places_.erase(found);
  const auto groups = under->second.find(shape);
  groups->second.erase(rank);
  if (groups->second.empty()) under->second.erase(groups);
  if (under->second.empty()) parked_.erase(under);
}

std::optional<ReadyQueue::Head> ReadyQueue::first(const std::vector<bool>& exhausted) const {
  std::optional<Head> best;
  for (const std::uint32_t shape : filled_) {
    if (exhausted[shape]) continue;
    const Rank& rank = *queued_[shape].begin();
    if (!best || rank < best->rank) best = Head{shape, rank};
  }
  return best;
}

std::optional<ReadyQueue::Head> ReadyQueue::first_parked(const Blocker& blocker,
                                                         const std::vector<bool>& exhausted) const {
  std::optional<Head> best;
  const auto under = parked_.find(blocker);
  if (under == parked_.end()) return best;
  for (const auto& [shape, groups] : under->second) {
    if (exhausted[shape]) continue;
    if (!best || *groups.begin() < best->rank) best = Head{shape, *groups.begin()};
  }
  return best;
}

std::optional<Blocker> ReadyQueue::parked_on(const Rank& rank) const {
  const auto found = places_.find(rank);
  return found == places_.end() ? std::nullopt : std::optional(found->second.blocker->first);
}

std::vector<Blocker> ReadyQueue::blockers() const {
  std::vector<Blocker> all;
  all.reserve(parked_.size());
  for (const auto& [blocker, groups] : parked_) all.push_back(blocker);
  return all;
}

}  // namespace baton::engine
