// A run's events as something to poll: a thread of its own reads the stream, so that the main thread can redraw and
// hear Ctrl-C meanwhile.
#pragma once
#include <baton/api/client.hpp>
#include <baton/base/descriptor.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace baton::cli {

class EventFeed {
 public:
  EventFeed(const std::string& socket, const api::EventQuery& query);
  ~EventFeed();  // stops reading
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Readable when take() has something new.
  [[nodiscard]] int fd() const { return ready_.get(); }

  struct Batch {
    std::vector<views::EventView> events;
    bool ended = false;                   // nothing comes after these
    std::optional<api::Problem> problem;  // why, if it was not the stream's own end
  };
  // What has come since the last call. Does not wait.
  Batch take();

 private:
  void read(const std::string& socket, const api::EventQuery& query);
  bool push(const views::EventView& event);

  Descriptor ready_;  // eventfds
  Descriptor stop_;
  std::mutex mutex_;
  std::condition_variable room_;
  Batch batch_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace baton::cli
