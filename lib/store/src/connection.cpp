#include "connection.hpp"

#include <sqlite3.h>

#include <cerrno>
#include <string_view>

#include "statement.hpp"

namespace baton::store {
namespace {

// A failed sync means that nobody knows what is on disk, so it is never taken for a full disk.
bool is_sync_error(int code) { return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC; }

bool is_no_space(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

// What the operating system said of the database's or the log's last failed call. sqlite3_system_errno() may speak of a
// later one, as of those that rolled back.
bool was_no_space(sqlite3* db) {
  if (is_no_space(sqlite3_system_errno(db))) return true;
  for (const int which : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
    sqlite3_file* file = nullptr;
    int error = 0;
    if (sqlite3_file_control(db, "main", which, static_cast<void*>(&file)) != SQLITE_OK || file == nullptr ||
        file->pMethods == nullptr) {
      continue;
    }
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
    if (is_no_space(error)) return true;
  }
  return false;
}

ErrorCode classify(int code, sqlite3* db) {
  const int system_errno = db != nullptr ? sqlite3_system_errno(db) : 0;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ErrorCode::disk_full;
    case SQLITE_BUSY:
      return ErrorCode::locked;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
      return ErrorCode::corrupt;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return ErrorCode::denied;
    case SQLITE_CONSTRAINT:
      return ErrorCode::internal;
    case SQLITE_CANTOPEN:
      if (system_errno == EACCES || system_errno == EPERM || system_errno == EROFS) return ErrorCode::denied;
      if (is_no_space(system_errno)) return ErrorCode::disk_full;
      return ErrorCode::io;
    case SQLITE_IOERR:
      if (is_sync_error(code) || db == nullptr) return ErrorCode::io;
      return was_no_space(db) ? ErrorCode::disk_full : ErrorCode::io;
    case SQLITE_TOOBIG:
      return ErrorCode::limit;
    default:
      return ErrorCode::internal;
  }
}

// https://www.sqlite.org/uri.html
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

Connection::Connection(const std::string& path, Access access) : path_(path) {
  const int mode = (access == Access::read_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                   (access == Access::untouched ? SQLITE_OPEN_URI : 0);
  const std::string name = access == Access::untouched ? immutable_uri(path) : path;
  const int code = sqlite3_open_v2(name.c_str(), &db_, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK) {
    const ErrorCode kind = classify(code, db_);
    const std::string why = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
    sqlite3_close_v2(db_);
    raise(kind, "cannot open {}: {}", path, why);
  }
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // The hook takes the place of SQLite's own checkpoint after a commit, which would run before the commit can be
  // reported. Setting wal_autocheckpoint would take it away again.
  sqlite3_wal_hook(
      db_,
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<Connection*>(self)->wal_frames_ = frames;
        ++static_cast<Connection*>(self)->commits_;
        return SQLITE_OK;
      },
      this);
}

Connection::~Connection() { sqlite3_close_v2(db_); }

void Connection::raise_code(int code, std::string_view doing) const {
  const ErrorCode kind = classify(code, db_);
  switch (kind) {
    case ErrorCode::disk_full:
      raise(kind, "no space left for the database {}", path_);
    case ErrorCode::locked:
      raise(kind, "the database {} is locked by another process", path_);
    case ErrorCode::corrupt:
      raise(kind, "the database {} is damaged ({})", path_, sqlite3_errmsg(db_));
    default:
      raise(kind, "the database {}: {}: {}", path_, doing, sqlite3_errmsg(db_));
  }
}

void Connection::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) raise_code(code, std::string_view(sql).substr(0, 80));
}

std::int64_t Connection::integer(const char* sql) {
  Statement statement(*this, sql);
  Rows rows = statement.query();
  return rows.next() ? rows.integer(0) : 0;
}

std::string Connection::text(const char* sql) {
  Statement statement(*this, sql);
  Rows rows = statement.query();
  return rows.next() ? rows.text(0) : std::string{};
}

std::int64_t Connection::changes() const { return sqlite3_changes64(db_); }
bool Connection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

void Connection::rollback() noexcept {
  // Some errors have rolled back already.
  if (in_transaction()) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Connection::set_busy_timeout(int milliseconds) { sqlite3_busy_timeout(db_, milliseconds); }

void Connection::checkpoint(bool wait_for_readers) {
  const int mode = wait_for_readers ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(db_, "main", mode, nullptr, nullptr);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) raise_code(code, "checkpoint");
}

Transaction::Transaction(Connection& connection) : connection_(connection) { connection_.execute("BEGIN IMMEDIATE"); }
void Transaction::commit() { connection_.execute("COMMIT"); }

}  // namespace baton::store
