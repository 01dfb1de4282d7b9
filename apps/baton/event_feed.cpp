#include "event_feed.hpp"

#include <sys/eventfd.h>

#include <cstdint>
#include <utility>

namespace baton::cli {
namespace {

constexpr std::size_t kBacklogEvents = 65'536;  // then the reader waits, and the daemon with it

void raise(const Descriptor& fd) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd.get(), &one, sizeof one);
}

}  // namespace

EventFeed::EventFeed(const std::string& socket, const api::EventQuery& query)
    : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this, socket, query] { read(socket, query); });
}

EventFeed::~EventFeed() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  raise(stop_);
  thread_.join();
}

bool EventFeed::push(const views::EventView& event) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return stopping_ || batch_.events.size() < kBacklogEvents; });
  if (stopping_) return false;
  if (batch_.events.empty()) raise(ready_);
  batch_.events.push_back(event);
  return true;
}

void EventFeed::read(const std::string& socket, const api::EventQuery& query) {
  api::Client client(socket);
  auto answer = client.events(query, [this](const views::EventView& event) { return push(event); }, stop_.get());
  const std::lock_guard lock(mutex_);
  batch_.ended = true;
  if (!answer) batch_.problem = std::move(answer.error());
  raise(ready_);
}

EventFeed::Batch EventFeed::take() {
  std::uint64_t raised = 0;
  [[maybe_unused]] const ssize_t got = ::read(ready_.get(), &raised, sizeof raised);
  const std::lock_guard lock(mutex_);
  room_.notify_all();
  Batch batch = std::move(batch_);
  batch_ = Batch{};
  return batch;
}

}  // namespace baton::cli
