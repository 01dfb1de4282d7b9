// Copies of the state, and what makes one the state again.
#include <baton/store/store.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "reader.hpp"
#include "recovery.hpp"
#include "schema.hpp"
#include "state_id.hpp"
#include "statement.hpp"

namespace baton::store {
namespace {

// An adoption is named by a second: no two have the same one, and each has a later one than those before it.
constexpr int kSecondBits = 20;  // starts and attempts from one adoption to the next, at a million a second
constexpr std::int64_t kMostSeconds = std::int64_t{1} << 32;
constexpr std::int64_t kYear2025 = 1'735'689'600;
// More attempts than an instance has between a copy and its adoption, whatever the clock says.
constexpr std::int64_t kAttemptGap = 1'000;

Result<std::int64_t> second_of_adoption(TimePoint now, std::uint64_t seen) {
  const auto clock = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  // Later than the last adoption that a worker knows of, also if the clock was set back since.
  const auto second =
      std::max({std::int64_t{1}, std::int64_t{clock}, static_cast<std::int64_t>(seen >> kSecondBits) + 1});
  if (second >= kMostSeconds) {
    return fail(ErrorCode::corrupt, "a worker has seen the impossible start {}; `baton doctor --fsck` names its file",
                seen);
  }
  return second;
}

// New ids for the attempts in states up to this one.
void renumber_attempts(Connection& connection, std::int64_t last_state) {
  Statement(connection,
            "UPDATE attempts SET id = fresh.id FROM (SELECT id AS old, (SELECT last_attempt FROM meta) +"
            " row_number() OVER (ORDER BY id) AS id FROM attempts WHERE state <= ?1) fresh"
            " WHERE attempts.id = fresh.old")
      .run(last_state);
  connection.execute("UPDATE meta SET last_attempt = max(last_attempt, (SELECT coalesce(max(id), 0) FROM attempts))");
}

// Whatever was given out since the copy was made is never given out again. A run's number is part of its children's
// ids.
void raise_counters(Connection& connection, std::int64_t second) {
  const std::int64_t base = second << kSecondBits;
  Statement(connection,
            "UPDATE meta SET incarnation = iif(incarnation BETWEEN ?1 AND ?2, incarnation, ?1),"
            " last_run = max(last_run, ?1), last_attempt = max(last_attempt, ?1), last_event = max(last_event, ?1)")
      .run(base, kPlausible - 1);
  Statement(connection,
            "UPDATE instances SET attempts = max(attempts + ?1, ?2), retries_from = retries_from - attempts +"
            " max(attempts + ?1, ?2)")
      .run(kAttemptGap, std::max<std::int64_t>(second - kYear2025, 0));
  Statement(connection,
            "UPDATE attempts SET number = i.attempts FROM instances i"
            " WHERE state < 2 AND i.run = attempts.run AND i.task = attempts.task AND i.idx = attempts.idx")
      .run();
  // An attempt that was about to start may have run since then: it must not start again under the same id.
  renumber_attempts(connection, 0);
}

// Ids and logs of another state's attempts mean others of these workers'.
void leave_other_workers(Connection& connection, const std::string& state_id) {
  Statement(connection, "UPDATE meta SET state_id = ?1").run(state_id);
  renumber_attempts(connection, 1);
  connection.execute("UPDATE attempts SET segment = 0, log_from = 0, log_to = iif(state < 2, NULL, 0)");
}

Result<> mark_as_copy(const std::string& path) {
  Connection connection(path, Access::read_write);
  Statement(connection, "UPDATE meta SET incarnation = ?1").run(kCopyMark);
  return {};
}

}  // namespace

Result<> check_origin(const std::string& path, const Seen& seen) try {
  std::error_code error;
  std::string why = seen.incarnation > 0 ? lost_before(path, seen) : "";
  if (std::filesystem::exists(path, error)) {
    // Without a log it can be read as it is, and no files are made beside it.
    const bool has_log = std::filesystem::exists(path + "-wal", error);
    Connection connection(path, has_log ? Access::read_only : Access::untouched);
    if (check_format(connection) != 0) why = why_not_to_go_on(connection, seen);
  }
  if (!why.empty()) return fail(ErrorCode::denied, "{}", why);
  return {};
} catch (const SqlError& error) {
  return std::unexpected(error.error());
}

Result<> backup_database(const std::string& path, const std::string& to) {
  try {
    Connection connection(path, Access::read_only);
    connection.set_busy_timeout(10'000);
    if (check_format(connection) == 0) return fail(ErrorCode::corrupt, "the database {} is empty", path);
    return copy_database_as(connection, to, mark_as_copy);
  } catch (const SqlError& failure) {
    return std::unexpected(failure.error());
  }
}

Result<Adopted> adopt_database(const std::string& path, TimePoint now, const Seen& seen) {
  const Result<std::int64_t> second = second_of_adoption(now, seen.incarnation);
  if (!second) return std::unexpected(second.error());
  if (const Result<> made = ensure_file(path); !made) return std::unexpected(made.error());  // in place of a lost one
  try {
    Connection connection(path, Access::read_write);
    connection.set_busy_timeout(0);
    prepare_database(connection);
    Transaction transaction(connection);
    const bool was_copy = !why_not_to_go_on(connection, seen).empty();
    // One that cannot be read is mended by the next start.
    const std::string id = connection.text("SELECT state_id FROM meta LIMIT 1");
    const bool foreign = is_state_id(seen.state_id) && is_state_id(id) && id != seen.state_id;
    if (was_copy || foreign) raise_counters(connection, *second);
    if (foreign) leave_other_workers(connection, seen.state_id);
    const Adopted adopted{.was_copy = was_copy,
                          .runs = static_cast<std::uint64_t>(connection.integer("SELECT count(*) FROM runs")),
                          .active_runs = static_cast<std::uint64_t>(
                              connection.integer("SELECT count(*) FROM runs WHERE state NOT IN (2, 3, 4)")),
                          .foreign = foreign};
    transaction.commit();
    return adopted;
  } catch (const SqlError& error) {
    return std::unexpected(error.error());
  }
}

}  // namespace baton::store
