// A session that says nothing, by looks that the test takes.
#include "worker/link.hpp"

#include "catch.hpp"
#include "fake_ports.hpp"

namespace baton::executor {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLook = 5s;
constexpr int kSilentLooks = 6;

struct Watched {
  Watched() {
    WorkerExecutorOptions options;
    options.look_every = kLook;
    options.silent_looks = kSilentLooks;
    options.steady_after = 99s;
    link = std::make_shared<Link>(ports, options, LinkOptions{}, [](const std::vector<engine::Event>&) {});
    link->start();
    first = ports.stream;
    first->handlers.messages({wire::Welcome{}});
    first->leave();
  }
  ~Watched() { link->stop(); }
  void look(int times = 1) {
    for (; times > 0; --times) {
      REQUIRE(ports.armed(kLook) != nullptr);
      ports.armed(kLook)->fire();
    }
  }

  FakePorts ports;
  std::shared_ptr<Link> link;
  std::shared_ptr<FakeStream> first;
};

}  // namespace

TEST_CASE("A session that says nothing is asked, and given up when it does not answer") {
  Watched w;
  w.look();
  CHECK(w.first->pings() == 1);
  w.first->leave();
  w.look(kSilentLooks - 1);
  CHECK(w.first->pings() == 1);
  CHECK_FALSE(w.first->closed);
  w.look();
  CHECK(w.first->closed);
  CHECK(w.link->status().state == WorkerState::connecting);
  CHECK(w.link->status().problem == "the worker session has not answered for 30 s");
  // As after every break of the link.
  REQUIRE(w.ports.armed(100ms) != nullptr);
  w.ports.armed(100ms)->fire();
  CHECK(w.ports.dials == 2);
  w.ports.stream->handlers.messages({wire::Welcome{}});
  CHECK(w.link->status().state == WorkerState::online);
  w.look();
  CHECK(w.ports.stream->pings() == 1);
}

TEST_CASE("A session that answers late, however little, keeps its link") {
  Watched w;
  for (int round = 0; round < 3; ++round) {
    w.look();
    w.first->leave();
    w.look(kSilentLooks - 1);
    ++w.first->counts.received;  // of a long message, say, over a slow line
    w.look();
  }
  CHECK_FALSE(w.first->closed);
  CHECK(w.first->pings() == 3);
}

TEST_CASE("A session that has news is not asked") {
  Watched w;
  for (int round = 0; round < 3 * kSilentLooks; ++round) {
    ++w.first->counts.received;
    w.look();
  }
  CHECK(w.first->pings() == 0);
}

TEST_CASE("While what was sent before the question leaves, the session reads") {
  Watched w;
  w.first->counts.waiting = 100;
  w.look();
  for (int round = 0; round < 3 * kSilentLooks; ++round) {
    w.first->leave(1);
    w.look();
  }
  CHECK_FALSE(w.first->closed);
  w.first->leave();  // the question too, into a pipe that nobody need read
  w.look();
  for (int round = 0; round < kSilentLooks; ++round) {
    CHECK_FALSE(w.first->closed);
    w.link->send(wire::Kill{});
    w.first->leave();
    w.look();
  }
  CHECK(w.first->closed);
}

TEST_CASE("A session that takes nothing is given up") {
  Watched w;
  w.first->counts.waiting = 100;
  w.look(1 + kSilentLooks);
  CHECK(w.first->closed);
}

TEST_CASE("While no news is taken nobody is given up") {
  Watched w;
  w.look();
  w.link->pause(true);
  w.look(3 * kSilentLooks);
  CHECK_FALSE(w.first->closed);
  w.link->pause(false);
  w.look(kSilentLooks);
  CHECK(w.first->closed);
}

}  // namespace baton::executor
