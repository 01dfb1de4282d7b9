// Copies of the state, and what makes one the state again.
#include <baton/store/store.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include "reader.hpp"
#include "recovery.hpp"
#include "schema.hpp"
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
  Statement(connection,
            "UPDATE attempts SET id = fresh.id FROM (SELECT id AS old, (SELECT last_attempt FROM meta) +"
            " row_number() OVER (ORDER BY id) AS id FROM attempts WHERE state = 0) fresh WHERE attempts.id = fresh.old")
      .run();
  connection.execute("UPDATE meta SET last_attempt = max(last_attempt, (SELECT coalesce(max(id), 0) FROM attempts))");
}

Result<> mark_as_copy(const std::string& path) {
  Connection connection(path, Access::read_write);
  Statement(connection, "UPDATE meta SET incarnation = ?1").run(kCopyMark);
  return {};
}

}  // namespace

Result<> backup_database(const std::string& path, const std::string& to) {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(to, error))) {
    return fail(ErrorCode::conflict, "{} exists already", to);
  }
  // Under its own name only once it is whole.
  const std::string partial = fmt::format("{}.{}.partial", to, ::getpid());
  try {
    Connection connection(path, Access::read_only);
    connection.set_busy_timeout(10'000);
    if (check_format(connection) == 0) return fail(ErrorCode::corrupt, "the database {} is empty", path);
    if (auto copied = copy_database(connection, partial); !copied) return copied;
    Result<> done = mark_as_copy(partial);
    if (done) done = sync_path(partial, O_RDONLY);
    if (done && ::link(partial.c_str(), to.c_str()) != 0) done = fail_errno(errno, to);
    ::unlink(partial.c_str());
    if (!done) return done;
    const std::string folder = std::filesystem::path(to).parent_path().string();
    return sync_path(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  } catch (const SqlError& failure) {
    ::unlink(partial.c_str());
    return std::unexpected(failure.error());
  }
}

Result<Adopted> adopt_database(const std::string& path, TimePoint now, std::uint64_t seen) {
  const Result<std::int64_t> second = second_of_adoption(now, seen);
  if (!second) return std::unexpected(second.error());
  try {
    Connection connection(path, Access::read_write);
    connection.set_busy_timeout(0);
    prepare_database(connection);
    Transaction transaction(connection);
    raise_counters(connection, *second);
    const Adopted adopted{
        static_cast<std::uint64_t>(connection.integer("SELECT count(*) FROM runs")),
        static_cast<std::uint64_t>(connection.integer("SELECT count(*) FROM runs WHERE state NOT IN (2, 3, 4)"))};
    transaction.commit();
    return adopted;
  } catch (const SqlError& error) {
    return std::unexpected(error.error());
  }
}

}  // namespace baton::store
