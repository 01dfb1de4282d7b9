// The writer: takes every batch that is queued, commits them together, posts their completions in order. On a thread of
// its own, or a step at a time.
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

namespace baton::store {

// How long the writer waits for somebody who looks at the database with other tools, in milliseconds.
inline constexpr int kBusyAtWork = 10'000;

class Writer {
 public:
  using Done = std::function<void(Result<Committed>)>;

  Writer(std::unique_ptr<Connection> connection, Post post);
  ~Writer();  // commits what is queued, posts, checkpoints
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // The connection, for the one who opened it, until start().
  [[nodiscard]] Connection& connection() { return *connection_; }
  // Batches are taken from here on, and committed by step() alone: the thread's loop, or whoever drives it by hand.
  void accept(std::uint64_t incarnation);
  void start(std::uint64_t incarnation);  // accept(), and a thread of its own
  // Commits everything that is queued as one group and posts its completions; false if nothing is queued.
  bool step();
  void commit(Batch batch, Done done);
  [[nodiscard]] std::size_t queued() const { return queued_.load(std::memory_order_relaxed); }

 private:
  struct Pending {
    Batch batch;
    Done done;
    std::uint64_t epoch = 0;
  };
  // Delivers completions on the caller's loop. Shared with posted functions, which may outlive the writer.
  struct Delivery {
    std::atomic<std::uint64_t> epoch{0};
  };
  struct Answer {
    Done done;
    Result<Committed> result;
    std::uint64_t epoch = 0;
  };

  void loop();
  void commit_queued(std::vector<Pending> group);
  void process(std::vector<Pending> group);
  Result<std::vector<Committed>> commit_group(std::vector<Pending>& group);
  void deliver(std::vector<Answer> answers);
  void checkpoint_if_due();

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<RecordWriter> records_;
  Post post_;
  std::optional<std::uint64_t> incarnation_;
  int checkpointed_at_ = 0;  // frames in the log when it was last moved into the database
  std::shared_ptr<Delivery> delivery_ = std::make_shared<Delivery>();
  std::uint64_t refused_before_ = 0;  // batches of earlier epochs are refused as the disk was full
  std::optional<Error> stopped_;      // the error after which nothing is committed any more

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Pending> queue_;
  bool stopping_ = false;
  std::atomic<std::size_t> queued_{0};
  std::thread thread_;
};

}  // namespace baton::store
