// Committed events for those who follow: what happened lately from memory, what is older from the store, without gaps
// and without duplicates. A follower holds nothing but its position, so a slow one costs nothing and falls back to the
// store.
//
// Everything happens on the event loop's thread.
#pragma once
#include <baton/api/backend.hpp>
#include <baton/store/store.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace baton::service {

class EventFeed {
 public:
  // Everything up to `last_seq` is in the store alone.
  explicit EventFeed(std::uint64_t last_seq) : last_seq_(last_seq), floor_(last_seq) {}

  // A run that a `uses` task of `parent` started: whoever follows the parent follows it too.
  void add_child(const std::string& run, const std::string& parent);
  void publish(std::vector<views::EventView> events);

  [[nodiscard]] std::uint64_t last_seq() const { return last_seq_; }
  // Whether everything after `seq` is still in memory.
  [[nodiscard]] bool reaches(std::uint64_t seq) const { return seq >= floor_; }
  // The events after `seq` (of `run` and its children, or all if empty), at most `limit`; moves `seq` behind what was
  // looked at. Requires reaches(seq).
  std::vector<views::EventView> take(const std::string& run, std::uint64_t& seq, std::size_t limit) const;

  // Called after each publish that concerns `run` (empty: any), until the returned token is dropped. Not called inside
  // watch() itself.
  using Watch = std::shared_ptr<std::function<void()>>;
  Watch watch(const std::string& run, std::function<void()> on_news);
  [[nodiscard]] std::size_t watched_runs() const { return watches_.size(); }

 private:
  struct Entry {
    views::EventView event;
    std::vector<std::string> ancestors;  // of its run, nearest first
  };
  [[nodiscard]] std::vector<std::string> ancestors_of(const std::string& run) const;

  std::uint64_t last_seq_;
  std::uint64_t floor_;  // no event up to this one is in recent_
  std::deque<Entry> recent_;
  std::unordered_map<std::string, std::string> parents_;  // of child runs that have not ended
  std::unordered_map<std::string, std::vector<std::weak_ptr<std::function<void()>>>> watches_;
  std::size_t sweep_at_ = 64;  // as many watched runs
};

}  // namespace baton::service
