// Committed events as a stream: from the store up to the present, then as they are committed.
#pragma once
#include <baton/api/backend.hpp>
#include <baton/service/event_feed.hpp>
#include <baton/store/store.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace baton::service {

struct EventStreamOptions {
  std::optional<RunKey> run;  // nullopt: all
  std::string run_id;
  std::uint64_t after = 0;
  std::size_t tail = 0;
  bool follow = false;
  // Whether the run goes on behind a final event of it (it was retried).
  std::function<bool(RunKey)> is_active;
};

std::shared_ptr<api::EventSource> open_event_stream(store::Store& store, EventFeed& feed,
                                                    std::function<void(std::function<void()>)> post,
                                                    EventStreamOptions options);

}  // namespace baton::service
