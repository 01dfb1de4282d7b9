#include <baton/base/limits.hpp>
#include <baton/service/event_feed.hpp>

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace baton::service {
namespace {

bool is_final_run_event(const views::EventView& event) {
  return event.type == "run" && (event.state == "succeeded" || event.state == "failed" || event.state == "cancelled");
}

}  // namespace

void EventFeed::add_child(const std::string& run, const std::string& parent) {
  if (!parent.empty()) parents_.insert_or_assign(run, parent);
}

std::vector<std::string> EventFeed::ancestors_of(const std::string& run) const {
  std::vector<std::string> ancestors;
  for (auto parent = parents_.find(run); parent != parents_.end(); parent = parents_.find(parent->second)) {
    ancestors.push_back(parent->second);
  }
  return ancestors;
}

void EventFeed::publish(std::vector<views::EventView> events) {
  std::unordered_set<std::string> concerned;
  for (views::EventView& event : events) {
    std::vector<std::string> ancestors = ancestors_of(event.run);
    concerned.insert(event.run);
    concerned.insert(ancestors.begin(), ancestors.end());
    if (is_final_run_event(event)) parents_.erase(event.run);
    last_seq_ = event.seq;
    recent_.push_back({.event = std::move(event), .ancestors = std::move(ancestors)});
  }
  while (recent_.size() > limits::kRecentEvents) {
    floor_ = recent_.front().event.seq;
    recent_.pop_front();
  }
  concerned.insert("");
  std::vector<Watch> woken;
  for (const std::string& run : concerned) {
    const auto found = watches_.find(run);
    if (found == watches_.end()) continue;
    std::erase_if(found->second, [&woken](const auto& weak) {
      Watch watch = weak.lock();
      if (watch) woken.push_back(std::move(watch));
      return weak.expired();
    });
    if (found->second.empty()) watches_.erase(found);
  }
  for (const Watch& watch : woken) (*watch)();
}

std::vector<views::EventView> EventFeed::take(const std::string& run, std::uint64_t& seq, std::size_t limit) const {
  std::vector<views::EventView> events;
  auto entry = std::ranges::upper_bound(recent_, seq, {}, [](const Entry& each) { return each.event.seq; });
  for (; entry != recent_.end() && events.size() < limit; ++entry) {
    seq = entry->event.seq;
    if (run.empty() || entry->event.run == run || std::ranges::find(entry->ancestors, run) != entry->ancestors.end()) {
      events.push_back(entry->event);
    }
  }
  if (entry == recent_.end()) seq = std::max(seq, last_seq_);
  return events;
}

EventFeed::Watch EventFeed::watch(const std::string& run, std::function<void()> on_news) {
  // Of a run that has ended nothing is published any more that would remove its entry.
  if (watches_.size() >= sweep_at_) {
    const auto dropped = [](const auto& weak) { return weak.expired(); };
    std::erase_if(watches_, [&](const auto& entry) { return std::ranges::all_of(entry.second, dropped); });
    sweep_at_ = std::max<std::size_t>(64, 2 * watches_.size());
  }
  Watch watch = std::make_shared<std::function<void()>>(std::move(on_news));
  std::vector<std::weak_ptr<std::function<void()>>>& watches = watches_[run];
  std::erase_if(watches, [](const auto& weak) { return weak.expired(); });
  watches.push_back(watch);
  return watch;
}

}  // namespace baton::service
