// A link's world in the test's own hands: timers that it moves, a stream that it speaks for.
#pragma once
#include "worker/link_ports.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace baton::executor {

class FakeTimer final : public Timer {
 public:
  void start(Duration after, std::function<void()> fire) override {
    after_ = after;
    fire_ = std::move(fire);
  }
  void cancel() override { fire_ = nullptr; }
  [[nodiscard]] std::optional<Duration> due() const { return fire_ ? std::optional(after_) : std::nullopt; }
  void fire() { std::exchange(fire_, nullptr)(); }

 private:
  Duration after_{};
  std::function<void()> fire_;
};

class FakeStream final : public Stream {
 public:
  explicit FakeStream(Handlers of_link) : handlers(std::move(of_link)) {}
  bool send(const wire::ToWorker& message) override {
    sent.push_back(message);
    counts.waiting += 5;
    return true;
  }
  void pause(bool) override {}
  void close() override { closed = true; }
  [[nodiscard]] Traffic traffic() const override { return counts; }

  [[nodiscard]] std::ptrdiff_t pings() const {
    return std::ranges::count_if(sent, [](const auto& message) { return std::holds_alternative<wire::Ping>(message); });
  }
  void leave(std::uint64_t bytes) {
    counts.left += bytes;
    counts.waiting -= bytes;
  }
  void leave() { leave(counts.waiting); }

  Handlers handlers;
  std::vector<wire::ToWorker> sent;
  Traffic counts;
  bool closed = false;
};

class FakePorts final : public LinkPorts {
 public:
  Result<std::shared_ptr<Stream>> dial(const LinkOptions&, Stream::Handlers handlers) override {
    ++dials;
    stream = std::make_shared<FakeStream>(std::move(handlers));
    return stream;
  }
  std::unique_ptr<Timer> make_timer() override {
    auto timer = std::make_unique<FakeTimer>();
    timers.push_back(timer.get());
    return timer;
  }
  void post(std::function<void()> completion) override { completion(); }

  // The one that is armed for this long, if any.
  FakeTimer* armed(Duration after) {
    for (FakeTimer* timer : timers) {
      if (timer->due() == after) return timer;
    }
    return nullptr;
  }

  int dials = 0;
  std::shared_ptr<FakeStream> stream;
  std::vector<FakeTimer*> timers;
};

}  // namespace baton::executor
