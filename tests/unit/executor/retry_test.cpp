// When a link dials again, by timers that the test moves.
#include "worker/link.hpp"

#include "catch.hpp"
#include "fake_ports.hpp"

namespace baton::executor {

using namespace std::chrono_literals;

TEST_CASE("A session that greets and then fails is dialled less and less often, until one stays up") {
  FakePorts ports;
  WorkerExecutorOptions options;
  options.first_retry = 100ms;
  options.last_retry = 1s;
  options.steady_after = 5s;
  options.look_every = 66s;
  options.handshake_timeout = 77s;
  options.down_after = 88s;
  auto link = std::make_shared<Link>(ports, options, LinkOptions{}, [](const std::vector<engine::Event>&) {});
  link->start();
  for (const Duration pause : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms}) {
    INFO(format_duration(pause));
    ports.stream->handlers.messages({wire::Welcome{}});
    ports.stream->handlers.closed({ErrorCode::unavailable, "it failed"});
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
