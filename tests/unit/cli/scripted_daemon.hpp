// A daemon that serves one run by a script: the real API server, with answers out of memory.
#pragma once
#include <baton/api/server.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace baton::test {

struct Script {
  views::RunView run;
  std::string state_later;  // not empty: the run's state from the second time on that it is asked for
  std::vector<views::EventView> events;
  std::vector<views::TaskView> tasks;                     // a page each
  bool streams_end = false;                               // behind the events; otherwise they wait for more
  std::vector<std::pair<std::string, std::string>> logs;  // task → bytes
  bool logs_break = false;                                // behind these bytes
  api::SubmitRequest source;                              // the run's workflow
};

class ScriptedDaemon {
 public:
  // Listens on `socket` once it is made, in a thread of its own.
  ScriptedDaemon(const std::string& socket, Script script);
  ~ScriptedDaemon();   // as if it was killed
  void say_stopped();  // as at an end that was asked for
  ScriptedDaemon(const ScriptedDaemon&) = delete;
  ScriptedDaemon& operator=(const ScriptedDaemon&) = delete;

  [[nodiscard]] std::vector<api::EventQuery> event_queries() const;
  [[nodiscard]] std::vector<std::string> cancelled() const;
  [[nodiscard]] std::vector<api::RetryRequest> retries() const;

 private:
  class ScriptedBackend;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  std::unique_ptr<ScriptedBackend> backend_;
  std::unique_ptr<api::Server> server_;
  std::thread thread_;
};

}  // namespace baton::test
