// A thin layer over SQLite's C interface. Errors are thrown as SqlError inside this library only; its public functions
// catch them and return the Error inside. A connection and its statements belong to one thread at a time.
#pragma once
#include <baton/base/result.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

struct sqlite3;

namespace baton::store {

class SqlError : public std::exception {
 public:
  explicit SqlError(Error error) : error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }
  [[nodiscard]] const char* what() const noexcept override { return error_.message.c_str(); }

 private:
  Error error_;
};

template <class... Args>
[[noreturn]] void raise(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw SqlError(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

enum class Access {
  read_write,
  read_only,
  untouched,  // read as if nobody could write it: no lock, no log, no file beside it
};

class Connection {
 public:
  // Opens an existing file (an empty one is a new database).
  Connection(const std::string& path, Access access);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void execute(const char* sql);                        // any number of statements; their rows are ignored
  [[nodiscard]] std::int64_t integer(const char* sql);  // first column of the first row
  [[nodiscard]] std::string text(const char* sql);
  [[nodiscard]] std::int64_t changes() const;  // rows that the last INSERT, UPDATE or DELETE touched
  [[nodiscard]] bool in_transaction() const;
  void rollback() noexcept;  // harmless without a transaction
  void set_busy_timeout(int milliseconds);

  // Moves what the log holds into the database file, as far as no reader needs it. The log starts anew with the next
  // commit if all of it was moved; `wait_for_readers` waits for those who are in the way, up to the busy timeout.
  void checkpoint(bool wait_for_readers);
  [[nodiscard]] int wal_frames() const { return wal_frames_; }      // after the last commit of this connection
  [[nodiscard]] std::uint64_t commits() const { return commits_; }  // of this connection that wrote something

  // Throws the error of the last call, which returned `code`.
  [[noreturn]] void raise_code(int code, std::string_view doing) const;
  [[nodiscard]] sqlite3* handle() const { return db_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  sqlite3* db_ = nullptr;
  int wal_frames_ = 0;
  std::uint64_t commits_ = 0;
};

// Begins an IMMEDIATE transaction; rolls back unless it was committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction() { connection_.rollback(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
};

}  // namespace baton::store
