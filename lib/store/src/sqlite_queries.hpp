// Queries over one connection. Never throws; every answer is read leniently, so that one bad row spoils no list.
#pragma once
#include <baton/store/queries.hpp>

#include <functional>
#include <string>
#include <vector>

#include "statement.hpp"

namespace baton::store {

class SqliteQueries : public Queries {
 public:
  explicit SqliteQueries(Connection& connection) : connection_(connection), statements_(connection) {}

  Result<RunKey> resolve(const std::string& reference) override;
  Result<std::optional<Requested>> by_request_key(const std::string& key) override;
  Result<views::RunView> run(RunKey key) override;
  Result<views::Page<views::RunView>> runs(const RunFilter& filter, const std::string& cursor,
                                           std::size_t limit) override;
  Result<views::Page<views::TaskView>> tasks(RunKey key, const std::string& task, const std::string& state,
                                             const std::string& cursor, std::size_t limit) override;
  Result<std::vector<views::EventView>> events(std::optional<RunKey> run, std::uint64_t after, std::size_t limit,
                                               std::size_t tail) override;
  Result<std::vector<LogSource>> logs(RunKey key, const std::string& task, std::uint32_t attempt, bool failed_only,
                                      std::size_t limit) override;
  Result<std::string> bundle(const std::string& hash) override;
  Result<Source> source(RunKey key) override;
  Result<engine::RunSnapshot> snapshot(RunKey key) override;
  Result<Statistics> statistics() override;
  Result<> copy_to(const std::string& path) override;

 private:
  // Which instances of a run a task's reference means.
  struct TaskSelection {
    std::int64_t first_task = 0, last_task = 0;  // both included
    std::string name;                            // of one instance of a matrix; empty: all of them
  };

  std::optional<RunKey> find_run(std::string_view sql, std::string_view text);
  Result<RunKey> resolve_number(const std::string& reference, std::size_t hash);
  Result<RunKey> resolve_prefix(const std::string& prefix);
  void add_summary(views::RunView& view);
  Result<> require_run(RunKey key);
  std::size_t add_outputs(RunKey key, views::TaskView& view);
  Result<TaskSelection> select_tasks(RunKey key, const std::string& task);
  std::vector<RunKey> with_descendants(RunKey key);
  std::vector<views::EventView> events_of(std::optional<RunKey> run, std::uint64_t after, std::size_t count,
                                          bool newest);

  Connection& connection_;
  StatementCache statements_;
};

// Runs `query`, with what it throws as the result.
template <class Query>
auto guarded(Query query) -> decltype(query()) {
  try {
    return query();
  } catch (const SqlError& error) {
    return std::unexpected(error.error());
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "cannot read the database: {}", error.what());
  }
}

// What a page holds when `limit` is asked for: at least 1, at most limits::kPageSize; 0 means that.
std::size_t page_size(std::size_t limit);

}  // namespace baton::store
