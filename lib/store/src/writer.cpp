#include "writer.hpp"

#include <baton/base/mutation.hpp>

#include <cassert>
#include <chrono>
#include <exception>
#include <utility>

namespace baton::store {
namespace {

// 16 MiB of log: long enough that a page changed often is moved to the database once.
constexpr int kCheckpointFrames = 4'096;
// Readers may keep the log from starting anew; beyond this, commits wait for them a little.
constexpr int kLongLogFrames = 4 * kCheckpointFrames;
constexpr int kReaderWait = 100;        // milliseconds
constexpr int kFramesOnLowSpace = 256;  // 1 MiB: the log must not eat the reserve
// How often it is looked whether what is waited for has come: room, or the end of somebody's lock.
constexpr std::chrono::milliseconds kWaitCheck{250};
constexpr int kBusyWhileLocked = 1'000;  // milliseconds: so long an end of the daemon waits for a locked database

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection, Post post, std::function<void(Health)> on_health)
    : connection_(std::move(connection)),
      records_(std::make_unique<RecordWriter>(*connection_)),
      post_(std::move(post)),
      reserve_(Reserve::beside(connection_->path())),
      on_health_(std::move(on_health)) {}

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
    queue_.push_back({std::move(batch), std::move(done)});
  }
  wake_.notify_one();
}

void Writer::loop() {
  refill_reserve();
  while (wait()) step();
}

bool Writer::wait() {
  std::unique_lock lock(mutex_);
  if (has_to_wait()) {
    if (wake_.wait_for(lock, kWaitCheck, [this] { return stopping_; })) {
      stopped_ = waits_;  // what is queued behind it may not overtake it either
    }
    return true;
  }
  const auto has_work = [this] { return stopping_ || !queue_.empty(); };
  if (health_ == Health::good) {
    wake_.wait(lock, has_work);
  } else {
    wake_.wait_for(lock, kWaitCheck, has_work);
  }
  return !queue_.empty() || !stopping_;
}

void Writer::step() {
  if (!has_to_wait()) {
    const std::lock_guard lock(mutex_);
    group_.swap(queue_);
  } else if (!stopped_ && health_ == Health::out_of_space) {
    checkpoint(true);  // the log starts anew in the room that it has
  }
  if (!group_.empty()) {
    auto committed = commit_group();
    if (!committed) return;
    answer(std::move(*committed));
    checkpoint_if_due();
  }
  if (health_ != Health::good) refill_reserve();
}

// The same group every time, so nothing overtakes it.
std::optional<Result<std::vector<Committed>>> Writer::commit_group() {
  while (true) {
    Result<std::vector<Committed>> committed = try_commit();
    if (committed) {
      if (health_ == Health::out_of_space) set_health(Health::low_on_space);
      return committed;
    }
    if (stopped_) return committed;
    if (committed.error().code == ErrorCode::locked) return have_to_wait(Health::locked, committed.error());
    if (committed.error().code != ErrorCode::disk_full) {
      stopped_ = committed.error();
      return committed;
    }
    if (mutated(Mutation::commit_without_room)) return std::vector<Committed>(group_.size());
    if (!find_room()) return have_to_wait(Health::out_of_space, committed.error());
    // Moving the log into the database lets the log start anew in the room that it has.
    checkpoint(true);
  }
}

std::nullopt_t Writer::have_to_wait(Health health, Error why) {
  set_health(health);
  waits_ = std::move(why);
  return std::nullopt;
}

void Writer::answer(Result<std::vector<Committed>> committed) {
  std::vector<Answer> answers;
  answers.reserve(group_.size());
  for (std::size_t i = 0; i < group_.size(); ++i) {
    Result<Committed> result;
    if (committed) {
      result = std::move((*committed)[i]);
    } else {
      result = std::unexpected(committed.error());
    }
    answers.push_back({std::move(group_[i].done), std::move(result)});
  }
  group_.clear();
  queued_.fetch_sub(answers.size(), std::memory_order_relaxed);
  deliver(std::move(answers));
}

Result<std::vector<Committed>> Writer::try_commit() {
  if (stopped_) return std::unexpected(*stopped_);
  std::vector<Batch*> batches;
  batches.reserve(group_.size());
  for (Pending& pending : group_) batches.push_back(&pending.batch);
  try {
    return records_->commit(batches, *incarnation_);
  } catch (const SqlError& error) {
    return std::unexpected(error.error());
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "cannot commit: {}", error.what());
  }
}

bool Writer::find_room() {
  if (health_ == Health::good || health_ == Health::locked) set_health(Health::low_on_space);
  return reserve_.give_back(Reserve::kForStarts);
}

void Writer::refill_reserve() {
  const bool is_whole = reserve_.take();
  if (is_whole) {
    set_health(Health::good);
  } else if (health_ != Health::out_of_space) {
    set_health(Health::low_on_space);
  }
}

void Writer::set_health(Health health) {
  const Health before = std::exchange(health_, health);
  if (before == health) return;
  if (before == Health::locked || health == Health::locked) connection_->set_busy_timeout(busy_timeout());
  if (on_health_) post_([on_health = on_health_, health] { on_health(health); });
}

int Writer::busy_timeout() const { return health_ == Health::locked ? kBusyWhileLocked : kBusyAtWork; }

void Writer::deliver(std::vector<Answer> answers) {
  auto shared = std::make_shared<std::vector<Answer>>(std::move(answers));
  post_([shared] {
    for (Answer& answer : *shared) answer.done(std::move(answer.result));
  });
}

void Writer::checkpoint_if_due() {
  const int frames = connection_->wal_frames();
  if (frames < checkpointed_at_) checkpointed_at_ = 0;  // the log has started anew
  const bool is_low = health_ != Health::good;
  if (stopped_ || frames - checkpointed_at_ < (is_low ? kFramesOnLowSpace : kCheckpointFrames)) return;
  checkpointed_at_ = frames;
  checkpoint(is_low || frames >= kLongLogFrames);
}

void Writer::checkpoint(bool wait_for_readers) {
  try {
    if (wait_for_readers) connection_->set_busy_timeout(kReaderWait);
    connection_->checkpoint(wait_for_readers);
    if (wait_for_readers) connection_->set_busy_timeout(busy_timeout());
  } catch (const SqlError& error) {
    connection_->set_busy_timeout(busy_timeout());
    // Everything is safe in the log, so a full disk only means to try again later.
    if (error.error().code != ErrorCode::disk_full) stopped_ = error.error();
  }
}

}  // namespace baton::store
