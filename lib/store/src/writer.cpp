#include "writer.hpp"

#include <cassert>
#include <exception>
#include <utility>

namespace baton::store {
namespace {

// 16 MiB of log: long enough that a page changed often is moved to the database once.
constexpr int kCheckpointFrames = 4'096;
// Readers may keep the log from starting anew; beyond this, commits wait for them a little.
constexpr int kLongLogFrames = 4 * kCheckpointFrames;
constexpr int kReaderWait = 100;  // milliseconds

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection, Post post)
    : connection_(std::move(connection)),
      records_(std::make_unique<RecordWriter>(*connection_)),
      post_(std::move(post)) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  records_.reset();  // its statements go before their connection
}

void Writer::accept(std::uint64_t incarnation) {
  assert(!incarnation_);
  incarnation_ = incarnation;
}

void Writer::start(std::uint64_t incarnation) {
  accept(incarnation);
  thread_ = std::thread([this] { loop(); });
}

void Writer::commit(Batch batch, Done done) {
  assert(incarnation_);
  queued_.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({std::move(batch), std::move(done), delivery_->epoch.load(std::memory_order_relaxed)});
  }
  wake_.notify_one();
}

void Writer::loop() {
  while (true) {
    std::vector<Pending> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      group.swap(queue_);
    }
    commit_queued(std::move(group));
  }
}

bool Writer::step() {
  std::vector<Pending> group;
  {
    const std::lock_guard lock(mutex_);
    group.swap(queue_);
  }
  if (group.empty()) return false;
  commit_queued(std::move(group));
  return true;
}

void Writer::commit_queued(std::vector<Pending> group) {
  process(std::move(group));
  checkpoint_if_due();
}

void Writer::process(std::vector<Pending> group) {
  std::vector<Answer> answers;
  answers.reserve(group.size());
  // After a full disk nothing may overtake the refused batch: what was queued before its answer was heard is refused
  // too.
  auto first = group.begin();
  while (first != group.end() && !stopped_ && first->epoch < refused_before_) ++first;
  for (auto it = group.begin(); it != first; ++it) {
    answers.push_back({std::move(it->done), fail(ErrorCode::disk_full, "no space left for the database"), it->epoch});
  }
  group.erase(group.begin(), first);
  if (!group.empty()) {
    auto committed = commit_group(group);
    for (std::size_t i = 0; i < group.size(); ++i) {
      Result<Committed> result;
      if (committed) {
        result = std::move((*committed)[i]);
      } else {
        result = std::unexpected(committed.error());
      }
      answers.push_back({std::move(group[i].done), std::move(result), group[i].epoch});
    }
  }
  queued_.fetch_sub(answers.size(), std::memory_order_relaxed);
  deliver(std::move(answers));
}

Result<std::vector<Committed>> Writer::commit_group(std::vector<Pending>& group) {
  if (stopped_) return std::unexpected(*stopped_);
  std::vector<Batch*> batches;
  batches.reserve(group.size());
  for (Pending& pending : group) batches.push_back(&pending.batch);
  try {
    return records_->commit(batches, *incarnation_);
  } catch (const SqlError& error) {
    if (error.error().code == ErrorCode::disk_full) {
      refused_before_ = group.back().epoch + 1;
    } else {
      stopped_ = error.error();
    }
    return std::unexpected(error.error());
  } catch (const std::exception& error) {
    stopped_ = Error{ErrorCode::internal, fmt::format("cannot commit: {}", error.what())};
    return std::unexpected(*stopped_);
  }
}

void Writer::deliver(std::vector<Answer> answers) {
  auto shared = std::make_shared<std::vector<Answer>>(std::move(answers));
  post_([shared, delivery = delivery_] {
    for (Answer& answer : *shared) {
      const bool refused = !answer.result && answer.result.error().code == ErrorCode::disk_full;
      if (refused && delivery->epoch.load(std::memory_order_relaxed) <= answer.epoch) {
        delivery->epoch.store(answer.epoch + 1, std::memory_order_relaxed);
      }
      answer.done(std::move(answer.result));
    }
  });
}

void Writer::checkpoint_if_due() {
  const int frames = connection_->wal_frames();
  if (frames < checkpointed_at_) checkpointed_at_ = 0;  // the log has started anew
  if (stopped_ || frames - checkpointed_at_ < kCheckpointFrames) return;
  checkpointed_at_ = frames;
  try {
    const bool is_long = frames >= kLongLogFrames;
    if (is_long) connection_->set_busy_timeout(kReaderWait);
    connection_->checkpoint(is_long);
    if (is_long) connection_->set_busy_timeout(kBusyAtWork);
  } catch (const SqlError& error) {
    connection_->set_busy_timeout(kBusyAtWork);
    // Everything is safe in the log, so a full disk only means to try again later.
    if (error.error().code != ErrorCode::disk_full) stopped_ = error.error();
  }
}

}  // namespace baton::store
