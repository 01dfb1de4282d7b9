// An executor with one worker, whose other end is the test.
#pragma once
#include <baton/executor/worker_executor.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "fake_worker.hpp"
#include "unique_folder.hpp"

namespace baton::executor {

using TempFolder = testing::UniqueFolder;

struct WorkerFixture {
  WorkerFixture() { make(); }

  void make(WorkerExecutorOptions options = {}) {
    options.daemon_id = "state-1";
    options.incarnation = 7;
    options.first_retry = std::chrono::milliseconds(1);
    options.last_retry = std::chrono::milliseconds(1);
    LinkOptions link;
    link.id = WorkerId(3);
    link.name = "box";
    link.labels = {"big"};
    link.capacity.cpu_milli = 4000;
    link.dial = worker.dial();
    link.boot_file = folder.path + "/boot-id";
    options.links = {link};
    executor = make_worker_executor(io, std::move(options), [this](std::vector<engine::Event> more) {
      batches.push_back(more.size());
      for (auto& event : more) events.push_back(std::move(event));
    });
  }

  // Lets the loop run until it is so; a hang is ended by the test's time limit.
  template <class Condition>
  void until(Condition condition) {
    while (!condition()) {
      io.restart();
      REQUIRE(io.run_one() == 1);
    }
  }
  template <class T>
  [[nodiscard]] std::vector<T> got() const {
    std::vector<T> found;
    for (const engine::Event& event : events) {
      if (const auto* match = std::get_if<T>(&event)) found.push_back(*match);
    }
    return found;
  }
  static wire::Welcome welcome(std::string boot = "boot-a") {
    wire::Welcome message;
    message.version = "9";
    message.host = "node";
    message.boot_id = std::move(boot);
    message.capacity.cpu_milli = 4000;
    message.capacity.memory_bytes = 1 << 30;
    message.containment = "session";
    return message;
  }
  void connect(const std::string& boot = "boot-a") {
    executor->start();
    until([&] { return !worker.sessions.empty() && !worker.session().messages.empty(); });
    worker.session().say({welcome(boot)});
    until([&] { return !got<engine::WorkerUp>().empty(); });
  }
  void reconnect(const std::string& boot = "boot-a") {
    const std::size_t before = worker.sessions.size();
    const std::size_t ups = got<engine::WorkerUp>().size();
    worker.session().hang_up();
    until([&] { return worker.sessions.size() > before && !worker.session().messages.empty(); });
    worker.session().say({welcome(boot)});
    until([&] { return got<engine::WorkerUp>().size() > ups; });
  }

  TempFolder folder;
  boost::asio::io_context io;
  FakeWorker worker{io};
  std::vector<engine::Event> events;
  std::vector<std::size_t> batches;
  std::unique_ptr<Executor> executor;
};

inline wire::Outcome outcome(wire::ExitCause cause, int detail = 0) {
  wire::Outcome result;
  result.cause = cause;
  result.detail = detail;
  result.ended_at = TimePoint(std::chrono::seconds(5));
  return result;
}

}  // namespace baton::executor
