// Answers the API: the port of lib/api, put together from the engine, the store and the executor.
#pragma once
#include <baton/api/backend.hpp>
#include <baton/executor/executor.hpp>
#include <baton/service/background.hpp>
#include <baton/service/bundles.hpp>
#include <baton/service/clock.hpp>
#include <baton/service/config.hpp>
#include <baton/service/event_feed.hpp>
#include <baton/service/run_id.hpp>
#include <baton/service/scheduler.hpp>
#include <baton/service/secrets.hpp>
#include <baton/store/store.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace baton::service {

// Everything a request may need. Owned by the daemon, outlives the backend.
struct BackendPorts {
  store::Store* store = nullptr;
  executor::Executor* executor = nullptr;
  Scheduler* scheduler = nullptr;
  EventFeed* feed = nullptr;
  Background* background = nullptr;
  WorkflowCache* workflows = nullptr;
  RunIds* run_ids = nullptr;
  const Secrets* secrets = nullptr;
  const Clock* clock = nullptr;
  std::function<void(std::function<void()>)> post;
  std::function<std::shared_ptr<void>(Duration pause, std::function<void()> then)> after;
  std::function<Result<std::vector<std::string>>()> reload;  // as api::Backend::reload
  std::function<void()> shut_down;                           // begins to end the daemon, soon
  api::DaemonInfo info;                                      // what does not change
  std::function<std::string()> socket;                       // where the daemon listens now
  std::string state_dir;
  std::string database;
  std::vector<std::string> left_alone;  // "run ID: why", of runs whose stored state makes no sense
};

std::unique_ptr<api::Backend> make_backend(BackendPorts ports);

}  // namespace baton::service
