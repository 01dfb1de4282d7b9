#include "schema.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "state_id.hpp"
#include "statement.hpp"

namespace baton::store {
namespace {

// Phases, states and failure kinds are the numbers of the engine's enumerations (codec.hpp holds them still). Times are
// microseconds since 1970 in UTC, NULL where they have not happened.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta(
  only INTEGER PRIMARY KEY CHECK (only = 1),
  state_id TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  last_run INTEGER NOT NULL,      -- these three only grow, also when rows are deleted
  last_attempt INTEGER NOT NULL,
  last_event INTEGER NOT NULL
) STRICT;

CREATE TABLE workflows(
  name TEXT PRIMARY KEY,
  last_number INTEGER NOT NULL    -- of its runs
) STRICT, WITHOUT ROWID;

CREATE TABLE bundles(
  hash TEXT PRIMARY KEY,
  contents TEXT NOT NULL
) STRICT;

CREATE TABLE runs(
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  workflow TEXT NOT NULL,
  number INTEGER NOT NULL,
  bundle TEXT REFERENCES bundles(hash),
  used_path TEXT,
  working_dir TEXT NOT NULL,
  request_key TEXT UNIQUE,
  labels TEXT NOT NULL,           -- JSON object
  priority INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  scheduled_for INTEGER,
  parent_run INTEGER,             -- a child run: the instance that started it
  parent_task INTEGER,
  parent_idx INTEGER,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  reason TEXT,
  cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
  params TEXT NOT NULL,           -- JSON object
  started_at INTEGER,
  ended_at INTEGER,
  UNIQUE (workflow, number)
) STRICT;
CREATE INDEX runs_not_ended ON runs(key) WHERE state NOT IN (2, 3, 4);
CREATE INDEX runs_by_parent ON runs(parent_run, parent_task, parent_idx, key);
CREATE INDEX runs_by_workflow ON runs(workflow, key);

CREATE TABLE tasks(
  run INTEGER NOT NULL REFERENCES runs(key),
  task INTEGER NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  needs TEXT,                     -- JSON array of task numbers
  flags INTEGER NOT NULL,         -- 1: matrix, 2: finally
  PRIMARY KEY (run, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE expansions(
  run INTEGER NOT NULL,
  task INTEGER NOT NULL,
  combos TEXT NOT NULL,           -- JSON
  PRIMARY KEY (run, task),
  FOREIGN KEY (run, task) REFERENCES tasks(run, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances(
  run INTEGER NOT NULL,
  task INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  phase INTEGER NOT NULL CHECK (phase BETWEEN 0 AND 11),
  attempts INTEGER NOT NULL,
  retries_from INTEGER NOT NULL,
  child INTEGER NOT NULL,         -- run; 0: none
  due INTEGER,
  ready_at INTEGER,
  ended_at INTEGER,
  reason TEXT,
  message TEXT,
  name TEXT,                      -- NULL: the task's id
  matrix TEXT,                    -- JSON object; NULL: no matrix
  PRIMARY KEY (run, task, idx),
  FOREIGN KEY (run, task) REFERENCES tasks(run, task)
) STRICT, WITHOUT ROWID;

CREATE TABLE outputs(             -- of instances that succeeded
  run INTEGER NOT NULL,
  task INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  contents TEXT NOT NULL,         -- JSON object
  PRIMARY KEY (run, task, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts(
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  task INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  number INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  failure INTEGER NOT NULL,       -- kind; 0: none
  detail INTEGER NOT NULL,        -- its exit code or signal
  exit_code INTEGER,
  worker TEXT NOT NULL,
  message TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  segment INTEGER NOT NULL,       -- of the worker's log; 0: none
  log_from INTEGER NOT NULL,
  log_to INTEGER,                 -- NULL: still open
  user_us INTEGER NOT NULL,
  system_us INTEGER NOT NULL,
  max_rss INTEGER NOT NULL,
  UNIQUE (run, task, idx, number) -- an attempt number is used once
) STRICT;

CREATE TABLE events(
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  run INTEGER NOT NULL,
  task INTEGER,                   -- NULL: the run itself
  idx INTEGER NOT NULL,
  state INTEGER NOT NULL,         -- an instance's phase or a run's state
  attempt INTEGER NOT NULL,
  reason TEXT
) STRICT;
CREATE INDEX events_by_run ON events(run);
)sql";

struct Migration {
  int to;           // the version it makes out of the one before
  const char* sql;  // runs with foreign keys on, in one transaction with the new version number
};
constexpr std::array kMigrations{Migration{1, kVersion1}};
static_assert(kMigrations.back().to == kSchemaVersion);

void migrate(Connection& connection) {
  Transaction transaction(connection);
  // Read again under the lock: another process may have been faster.
  int version = check_format(connection);
  for (const Migration& migration : kMigrations) {
    if (migration.to <= version) continue;
    connection.execute(migration.sql);
    connection.execute(fmt::format("PRAGMA user_version = {}", migration.to).c_str());
    version = migration.to;
  }
  connection.execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
  Statement(connection, "INSERT INTO meta SELECT 1, ?1, 0, 0, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM meta)")
      .run(make_state_id());
  transaction.commit();
}

}  // namespace

Result<> ensure_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) {
    ::close(fd);
    // Its name must survive a power loss too.
    const std::string folder = std::filesystem::path(path).parent_path().string();
    const int dir = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = dir >= 0 && ::fsync(dir) == 0;
    const int error = errno;
    if (dir >= 0) ::close(dir);
    if (!synced) return fail_errno(error, fmt::format("cannot write the folder of {}", path));
    return {};
  }
  if (errno != EEXIST) return fail_errno(errno, fmt::format("cannot create the database {}", path));
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail_errno(errno, fmt::format("cannot read the database {}", path));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::corrupt, "the database {} is not a file", path);
  // SQLite would open a file that it may not write as read-only, and fail later.
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    return fail_errno(errno, fmt::format("cannot write the database {}", path));
  }
  return {};
}

int check_format(Connection& connection) {
  const std::int64_t application = connection.integer("PRAGMA application_id");
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (application != kApplicationId) {
    const bool empty = connection.integer("SELECT count(*) FROM sqlite_schema") == 0;
    if (application != 0 || version != 0 || !empty) {
      raise(ErrorCode::corrupt, "{} is not a database of Baton's", connection.path());
    }
    return 0;
  }
  if (version > kSchemaVersion) {
    raise(ErrorCode::newer_format,
          "the database {} has format {}, made by a newer version of Baton; this one knows formats up to {}",
          connection.path(), version, kSchemaVersion);
  }
  if (version < 1)
    raise(ErrorCode::corrupt, "the database {} has the impossible format {}", connection.path(), version);
  return static_cast<int>(version);
}

void prepare_database(Connection& connection) {
  check_format(connection);
  if (connection.text("PRAGMA journal_mode = WAL") != "wal") {
    raise(ErrorCode::io, "the file system of {} cannot hold a write-ahead log", connection.path());
  }
  connection.execute(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
      "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON");
  migrate(connection);
}

}  // namespace baton::store
