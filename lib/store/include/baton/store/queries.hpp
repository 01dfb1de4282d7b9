// Questions about what is committed. Used on the store's reading thread only.
#pragma once
#include <baton/base/result.hpp>
#include <baton/engine/record.hpp>
#include <baton/views/views.hpp>

#include <optional>
#include <string>
#include <vector>

namespace baton::store {

struct RunFilter {
  std::string workflow;             // empty: any
  std::vector<std::string> states;  // empty: any
  std::string parent;               // id: this run's children; empty: runs without a parent, unless include_children
  bool include_children = false;
};

// An attempt's log: where, and whether it may still grow.
struct LogSource {
  std::string worker;
  engine::LogPlace place;
  bool ended = false;
  std::string task_name;  // instance name
  std::uint32_t attempt = 0;
  std::string state;  // the attempt's
};

class Queries {
 public:
  virtual ~Queries() = default;

  // `reference`: an id, a unique prefix of one (runs without a parent go first), `last`, or WORKFLOW#NUMBER. not_found,
  // or conflict with the candidates if a prefix is ambiguous.
  virtual Result<RunKey> resolve(const std::string& reference) = 0;
  // The run a request key made, and what else was asked for; nullopt if there is none.
  struct Requested {
    views::RunView run;
    std::string bundle_hash, working_dir;
    bool retried = false;  // by a user, perhaps with other parameters
  };
  virtual Result<std::optional<Requested>> by_request_key(const std::string& key) = 0;

  virtual Result<views::RunView> run(RunKey key) = 0;  // with summary
  // Newest first. `cursor` is what the page before gave.
  virtual Result<views::Page<views::RunView>> runs(const RunFilter& filter, const std::string& cursor,
                                                   std::size_t limit) = 0;
  // In task and instance order, with attempts. `state`: only instances in that state; `task`: an instance name, a
  // task's id or empty.
  virtual Result<views::Page<views::TaskView>> tasks(RunKey key, const std::string& task, const std::string& state,
                                                     const std::string& cursor, std::size_t limit) = 0;
  // Committed events after `after`, oldest first; `run`: of one run and its children only. If `tail` is not 0, only the
  // last `tail` of them.
  virtual Result<std::vector<views::EventView>> events(std::optional<RunKey> run, std::uint64_t after,
                                                       std::size_t limit, std::size_t tail) = 0;
  // The logs of a run's attempts in order of their start, at most `limit`. `task` as in tasks(); `attempt` 0: the last
  // one of each instance.
  virtual Result<std::vector<LogSource>> logs(RunKey key, const std::string& task, std::uint32_t attempt,
                                              bool failed_only, std::size_t limit) = 0;
  virtual Result<std::string> bundle(const std::string& hash) = 0;
  struct Source {
    std::string bundle_hash;
    std::string used_path;  // of a child run: its file in the bundle; else empty
  };
  virtual Result<Source> source(RunKey key) = 0;
  // A run with everything needed to retry it.
  virtual Result<engine::RunSnapshot> snapshot(RunKey key) = 0;

  struct Statistics {
    std::uint64_t runs = 0, active_runs = 0, instances = 0, attempts = 0, events = 0, bytes = 0;
    int schema_version = 0;
  };
  virtual Result<Statistics> statistics() = 0;

  // All that is committed, in a new file, also when the database's own file is gone. conflict: `path` exists already.
  virtual Result<> copy_to(const std::string& path) = 0;
};

}  // namespace baton::store
