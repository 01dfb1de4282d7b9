// The reading thread: answers questions in order, each in one read transaction, so that an answer is of one moment.
#pragma once
#include <baton/store/store.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "connection.hpp"

namespace baton::store {

// A copy of one moment in a new file (0600), synced; nothing of it is left after an error. conflict: it exists already.
Result<> copy_database(const Connection& from, const std::string& path);
Result<> sync_path(const std::string& path, int flags);
// The same, under its name only once it is whole and `finish` has made of it what it is to be.
Result<> copy_database_as(const Connection& from, const std::string& to,
                          const std::function<Result<>(const std::string& path)>& finish);

class Reader {
 public:
  explicit Reader(const std::string& path);  // throws SqlError
  ~Reader();                                 // answers what was asked
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void ask(std::function<void(Queries&)> question);

 private:
  void enqueue(std::function<void()> work);
  void loop();

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Queries> queries_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace baton::store
