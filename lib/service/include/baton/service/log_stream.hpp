// An attempt's log as a stream, pulled from its worker piece by piece.
#pragma once
#include <baton/api/backend.hpp>
#include <baton/executor/executor.hpp>
#include <baton/service/event_feed.hpp>
#include <baton/service/secrets.hpp>
#include <baton/store/store.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace baton::service {

struct LogStreamPorts {
  store::Store* store = nullptr;
  executor::Executor* executor = nullptr;
  EventFeed* feed = nullptr;
  std::function<void(std::function<void()>)> post;
  // Calls back after a pause unless the returned token is dropped first.
  std::function<std::shared_ptr<void>(Duration pause, std::function<void()> then)> after;
};

struct LogStreamOptions {
  RunKey run;
  std::string run_id;
  std::string task;           // instance name, or the id of a task without a matrix
  std::uint32_t attempt = 0;  // 0: the last when the stream begins
  std::optional<std::uint64_t> tail;
  bool follow = false;
};

// The stream holds what it needs itself; dropping it ends everything. With `follow` an attempt that has not started is
// waited for, and a worker out of touch too. One that is just connecting is always waited for.
std::shared_ptr<api::ByteSource> open_log_stream(LogStreamPorts ports, LogStreamOptions options, Masker masker);

}  // namespace baton::service
