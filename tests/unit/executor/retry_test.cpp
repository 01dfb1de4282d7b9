// When a link dials again, by timers that the test moves.
#include "worker/link.hpp"

#include <vector>

#include "catch.hpp"

namespace baton::executor {
namespace {

using namespace std::chrono_literals;

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
  bool send(const wire::ToWorker&) override { return true; }
  void pause(bool) override {}
  void close() override {}
  Handlers handlers;
};

class FakePorts final : public LinkPorts {
 public:
  Result<std::shared_ptr<Stream>> dial(const LinkOptions&, Stream::Handlers handlers) override {
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
  void welcome_and_fail() {
    stream->handlers.messages({wire::Welcome{}});
    stream->handlers.closed({ErrorCode::unavailable, "it failed"});
  }

  std::shared_ptr<FakeStream> stream;
  std::vector<FakeTimer*> timers;
};

}  // namespace

TEST_CASE("A session that greets and then fails is dialled less and less often, until one stays up") {
  FakePorts ports;
  WorkerExecutorOptions options;
  options.first_retry = 100ms;
  options.last_retry = 1s;
  options.steady_after = 5s;
  options.handshake_timeout = 77s;
  options.down_after = 88s;
  auto link = std::make_shared<Link>(ports, options, LinkOptions{}, [](const std::vector<engine::Event>&) {});
  link->start();
  for (const Duration pause : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    INFO(format_duration(pause));
    ports.welcome_and_fail();
    CHECK(ports.armed(5s) == nullptr);
    FakeTimer* retry = ports.armed(pause);
    REQUIRE(retry != nullptr);
    retry->fire();
  }
  ports.stream->handlers.messages({wire::Welcome{}});
  REQUIRE(ports.armed(5s) != nullptr);
  ports.armed(5s)->fire();
  ports.stream->handlers.closed({ErrorCode::unavailable, "it failed"});
  CHECK(ports.armed(100ms) != nullptr);
  link->stop();
}

}  // namespace baton::executor
