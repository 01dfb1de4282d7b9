// What the HTTP server asks for: the port that lib/service implements. Everything happens on the event loop's thread;
// every completion is called exactly once, never from inside the call that took it.
#pragma once
#include <baton/base/diagnostic.hpp>
#include <baton/base/result.hpp>
#include <baton/views/views.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace baton::api {

// An error as the API sends it: RFC 9457, with the diagnostics of an invalid workflow.
struct Problem {
  Error error;
  std::vector<Diagnostic> diagnostics;
};
template <class T>
using Answer = std::expected<T, Problem>;
template <class T>
using Done = std::function<void(Answer<T>)>;

struct SubmitRequest {
  std::string entry;                         // key in `files`
  std::map<std::string, std::string> files;  // workflow::Bundle
  nlohmann::json params = nlohmann::json::object();
  std::string working_dir;  // absolute
  std::map<std::string, std::string> labels;
  std::optional<int> priority;
  std::string request_key;  // Idempotency-Key; the same key again answers with the same run
};

struct RunQuery {
  std::string workflow;
  std::vector<std::string> states;
  std::string parent;
  bool include_children = false;
  std::string cursor;
  std::size_t limit = 100;
};

struct TaskQuery {
  std::string run;
  std::string task;  // instance name, task id or empty
  std::string state;
  std::string cursor;
  std::size_t limit = 1000;
};

struct RetryRequest {
  std::string run;
  std::string from;                                  // task id; empty: what did not succeed
  nlohmann::json params = nlohmann::json::object();  // changed ones only
  bool dry_run = false;
};
struct RetryReply {
  views::RunView run;
  std::vector<std::string> instances;  // what runs again
};

struct DecideRequest {
  std::string run;
  std::string task;  // instance name; empty: the only one that waits for approval
  bool approve = false;
  std::string comment;
};

// A stream that is pulled: nothing is produced while the reader is busy, so a slow client holds no memory.
template <class T>
class Source {
 public:
  virtual ~Source() = default;  // ends the stream
  // The next piece, as soon as there is one; an empty one means the end. One call at a time.
  virtual void next(std::function<void(Result<T>)> done) = 0;
};
using ByteSource = Source<std::string>;
using EventSource = Source<std::vector<views::EventView>>;

struct EventQuery {
  std::string run;  // empty: all
  std::uint64_t after = 0;
  std::size_t tail = 0;  // not 0: only the last ones
  bool follow = false;   // of one run: ends behind the run's final event
};

struct LogQuery {
  std::string run;
  std::string task;                   // instance name, or the id of a task without a matrix
  std::uint32_t attempt = 0;          // 0: the last
  std::optional<std::uint64_t> tail;  // lines
  bool follow = false;                // until the attempt has ended
};
struct LogEntry {
  std::string task;  // instance name
  std::uint32_t attempt = 0;
  std::string state;
  bool ended = false;
};

struct DaemonInfo {
  std::string version;
  std::uint64_t pid = 0;
  std::uint64_t uid = 0;
  TimePoint started_at;
  std::string state_dir, socket, state_id, config;  // config: path, empty if there is none
  std::uint64_t incarnation = 0;
  std::uint64_t active_runs = 0, runs = 0, instances = 0, database_bytes = 0, resident_bytes = 0;
  int schema_version = 0;
};

// One finding of `baton doctor`.
struct Check {
  std::string name;
  std::string state;  // ok, warning, error
  std::string detail;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual void info(Done<DaemonInfo> done) = 0;
  virtual void submit(SubmitRequest request, Done<views::RunView> done) = 0;
  virtual void runs(RunQuery query, Done<views::Page<views::RunView>> done) = 0;
  virtual void run(std::string reference, Done<views::RunView> done) = 0;
  virtual void tasks(TaskQuery query, Done<views::Page<views::TaskView>> done) = 0;
  virtual void workflow_source(std::string reference, Done<SubmitRequest> done) = 0;  // entry and files only
  virtual void why(std::string reference, std::string task, Done<std::string> done) = 0;
  virtual void cancel(std::string reference, std::string reason, Done<views::RunView> done) = 0;
  virtual void retry(RetryRequest request, Done<RetryReply> done) = 0;
  virtual void decide(DecideRequest request, Done<views::RunView> done) = 0;
  virtual void events(EventQuery query, Done<std::shared_ptr<EventSource>> done) = 0;
  virtual void logs(std::string reference, std::string task, bool failed_only, std::uint32_t attempt,
                    Done<std::vector<LogEntry>> done) = 0;
  virtual void log(LogQuery query, Done<std::shared_ptr<ByteSource>> done) = 0;
  virtual void workers(Done<std::vector<views::WorkerView>> done) = 0;
  virtual void doctor(Done<std::vector<Check>> done) = 0;
  // Reads the configuration anew: what of it takes effect with the next start only. After an error it is as it was.
  virtual void reload(Done<std::vector<std::string>> done) = 0;
  virtual void shutdown(Done<bool> done) = 0;  // ends the daemon after the answer; tasks go on
};

}  // namespace baton::api
