#include "reader.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "sqlite_queries.hpp"

namespace baton::store {
namespace {

void remove_files(const std::string& path) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) std::filesystem::remove(path + suffix, ignored);
}

// All pages in one step, hence of one moment. Throws SqlError.
void copy_pages(const Connection& from, const std::string& path) {
  Connection to(path, Access::read_write);
  sqlite3_backup* backup = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
  if (backup == nullptr) to.raise_code(sqlite3_errcode(to.handle()), "backup");
  const int code = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) to.raise_code(code, "backup");
  // One file without a log beside it, to be moved at will; opening it as a store turns the log on again.
  to.execute("PRAGMA journal_mode = DELETE");
}

}  // namespace

Result<> sync_path(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot open {}", path));
  const bool synced = ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!synced) return fail_errno(error, fmt::format("cannot write {}", path));
  return {};
}

Result<> copy_database(const Connection& from, const std::string& path) {
  // Never over a file that is there already.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 && errno == EEXIST) return fail(ErrorCode::conflict, "{} exists already", path);
  if (fd < 0) return fail_errno(errno, fmt::format("cannot create {}", path));
  ::close(fd);
  Result<> result;
  try {
    copy_pages(from, path);
    const std::string folder = std::filesystem::path(path).parent_path().string();
    result = sync_path(path, O_RDONLY);
    if (result) result = sync_path(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  } catch (const SqlError& error) {
    result = std::unexpected(error.error());
  }
  if (!result) remove_files(path);
  return result;
}

Result<> copy_database_as(const Connection& from, const std::string& to,
                          const std::function<Result<>(const std::string& path)>& finish) {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(to, error))) {
    return fail(ErrorCode::conflict, "{} exists already", to);
  }
  const std::string partial = fmt::format("{}.{}.partial", to, ::getpid());
  if (auto copied = copy_database(from, partial); !copied) return copied;
  Result<> done;
  try {
    done = finish(partial);
  } catch (const SqlError& failure) {
    done = std::unexpected(failure.error());
  }
  if (done) done = sync_path(partial, O_RDONLY);
  if (done && ::link(partial.c_str(), to.c_str()) != 0) done = fail_errno(errno, to);
  ::unlink(partial.c_str());
  if (!done) return done;
  const std::string folder = std::filesystem::path(to).parent_path().string();
  return sync_path(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
}

Reader::Reader(const std::string& path) : connection_(std::make_unique<Connection>(path, Access::read_only)) {
  connection_->set_busy_timeout(10'000);
  connection_->execute("PRAGMA query_only = ON; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY");
  queries_ = std::make_unique<SqliteQueries>(*connection_);
  thread_ = std::thread([this] { loop(); });
}

Reader::~Reader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  queries_.reset();
}

void Reader::ask(std::function<void(Queries&)> question) {
  enqueue([this, question = std::move(question)] {
    // If no transaction can begin, the question's own reads fail in the same way and say so.
    sqlite3_exec(connection_->handle(), "BEGIN", nullptr, nullptr, nullptr);
    question(*queries_);
    connection_->rollback();
  });
}

void Reader::enqueue(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
}

void Reader::loop() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

}  // namespace baton::store
