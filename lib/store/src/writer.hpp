// The writing thread: takes every batch that is queued, commits them together, posts their completions in order.
#pragma once
#include <baton/store/store.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "record_writer.hpp"
#include "reserve.hpp"

namespace baton::store {

// How long a commit waits for somebody who changes the database with other tools before it is said, in milliseconds.
inline constexpr int kBusyAtWork = 2'000;

class Writer {
 public:
  using Done = std::function<void(Result<Committed>)>;

  // The reserve is beside the database. `on_health` may be empty.
  Writer(std::unique_ptr<Connection> connection, Post post, std::function<void(Health)> on_health);
  ~Writer();  // commits what is queued, unless it has to wait, and posts
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // The connection, for the one who opened it, until start().
  [[nodiscard]] Connection& connection() { return *connection_; }
  [[nodiscard]] const Reserve& reserve() const { return reserve_; }
  // Batches are taken from here on, and committed by step() alone: the thread's loop, or whoever drives it by hand.
  void accept(std::uint64_t incarnation);
  void start(std::uint64_t incarnation);  // accept(), and a thread of its own
  // Commits everything that is queued as one group and posts its completions. A group that finds no room or the
  // database locked stays, before all that is queued behind it, and the next step tries it again.
  void step();
  [[nodiscard]] bool has_to_wait() const { return !group_.empty(); }
  [[nodiscard]] bool is_stopped() const { return stopped_.has_value(); }  // after an error nothing is committed
  void commit(Batch batch, Done done);
  [[nodiscard]] std::size_t queued() const { return queued_.load(std::memory_order_relaxed); }

 private:
  struct Pending {
    Batch batch;
    Done done;
  };
  struct Answer {
    Done done;
    Result<Committed> result;
  };

  void loop();
  bool wait();  // until there is something to do; false: the writer is to end
  std::optional<Result<std::vector<Committed>>> commit_group();  // nullopt: it has to wait
  std::nullopt_t have_to_wait(Health health, Error why);
  Result<std::vector<Committed>> try_commit();
  void answer(Result<std::vector<Committed>> committed);
  bool find_room();  // false: nothing more can be done than to wait
  void refill_reserve();
  void set_health(Health health);
  [[nodiscard]] int busy_timeout() const;  // milliseconds
  void checkpoint(bool wait_for_readers);
  void deliver(std::vector<Answer> answers);
  void checkpoint_if_due();

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<RecordWriter> records_;
  Post post_;
  std::optional<std::uint64_t> incarnation_;
  int checkpointed_at_ = 0;  // frames in the log when it was last moved into the database
  Reserve reserve_;
  Health health_ = Health::good;
  std::function<void(Health)> on_health_;
  std::vector<Pending> group_;    // what is being committed; outside of step() what has to wait
  std::optional<Error> waits_;    // why it waits
  std::optional<Error> stopped_;  // the error after which nothing is committed any more

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Pending> queue_;
  bool stopping_ = false;
  std::atomic<std::size_t> queued_{0};
  std::thread thread_;
};

}  // namespace baton::store
