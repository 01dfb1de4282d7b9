#include <baton/base/limits.hpp>
#include <baton/service/event_stream.hpp>

#include <algorithm>
#include <utility>

namespace baton::service {
namespace {

constexpr std::size_t kPiece = 1'000;

class EventStream final : public api::EventSource, public std::enable_shared_from_this<EventStream> {
 public:
  using Events = std::vector<views::EventView>;
  using Done = std::function<void(Result<Events>)>;

  EventStream(store::Store& store, EventFeed& feed, std::function<void(std::function<void()>)> post,
              EventStreamOptions options)
      : store_(store), feed_(feed), post_(std::move(post)), options_(std::move(options)), at_(options_.after) {}

  void next(Done done) override {
    done_ = std::move(done);
    post_([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->step();
    });
  }

 private:
  void step() {
    if (!done_ || asking_) return;
    if (ended_) return give(Events{});
    // A tail is counted by the store.
    if (options_.tail != 0 || !feed_.reaches(at_)) return ask_store();
    Events events = feed_.take(options_.run_id, at_, kPiece);
    if (!events.empty()) return deliver(std::move(events));
    if (!options_.follow) return give(Events{});
    if (!watch_) {
      watch_ = feed_.watch(options_.run_id, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->step();
      });
    }
  }

  void ask_store() {
    asking_ = true;
    const std::uint64_t published = feed_.last_seq();
    const std::size_t limit = options_.tail == 0 ? kPiece : std::min(options_.tail, limits::kEventTail);
    store_.ask<Events>([run = options_.run, after = at_, limit, tail = options_.tail](
                           store::Queries& queries) { return queries.events(run, after, limit, tail); },
                       [weak = weak_from_this(), published](Result<Events> events) {
                         if (auto self = weak.lock()) self->on_answer(std::move(events), published);
                       });
  }

  void on_answer(Result<Events> events, std::uint64_t published) {
    asking_ = false;
    if (!events) return give(std::unexpected(events.error()));
    const bool complete = options_.tail != 0 || events->size() < kPiece;
    if (!events->empty()) at_ = std::max(at_, events->back().seq);
    // Everything that was published before the question is in a complete answer, matching or not.
    if (complete) at_ = std::max(at_, published);
    options_.tail = 0;
    if (!events->empty()) return deliver(std::move(*events));
    step();
  }

  void deliver(Events events) {
    if (options_.follow && options_.run) {
      const auto last = std::ranges::find_if(events, [this](const views::EventView& event) {
        return event.type == "run" && event.run == options_.run_id &&
               (event.state == "succeeded" || event.state == "failed" || event.state == "cancelled");
      });
      if (last != events.end() && !options_.is_active(*options_.run)) ended_ = true;
    }
    give(std::move(events));
  }

  void give(Result<Events> events) {
    if (!events) ended_ = true;
    if (ended_) watch_.reset();
    Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(events));
  }

  store::Store& store_;
  EventFeed& feed_;
  std::function<void(std::function<void()>)> post_;
  EventStreamOptions options_;
  std::uint64_t at_;  // everything up to this event was delivered or does not match
  Done done_;
  bool asking_ = false;
  bool ended_ = false;
  EventFeed::Watch watch_;
};

}  // namespace

std::shared_ptr<api::EventSource> open_event_stream(store::Store& store, EventFeed& feed,
                                                    std::function<void(std::function<void()>)> post,
                                                    EventStreamOptions options) {
  return std::make_shared<EventStream>(store, feed, std::move(post), std::move(options));
}

}  // namespace baton::service
