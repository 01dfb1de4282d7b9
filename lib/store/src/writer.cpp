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
// How often a full disk is looked at again.
constexpr std::chrono::milliseconds kSpaceCheck{250};

}  // namespace

Writer::Writer(std::unique_ptr<Connection> connection, Post post, std::function<void(Space)> on_space)
    : connection_(std::move(connection)),
      records_(std::make_unique<RecordWriter>(*connection_)),
      post_(std::move(post)),
      reserve_(Reserve::beside(connection_->path())),
      on_space_(std::move(on_space)) {}

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
  if (waits_for_room()) {
    if (wake_.wait_for(lock, kSpaceCheck, [this] { return stopping_; })) {
      stopped_ = no_room_;  // what is queued behind it may not overtake it either
    }
    return true;
  }
  const auto has_work = [this] { return stopping_ || !queue_.empty(); };
  if (space_ == Space::enough) {
    wake_.wait(lock, has_work);
  } else {
    wake_.wait_for(lock, kSpaceCheck, has_work);
  }
  return !queue_.empty() || !stopping_;
}

void Writer::step() {
  if (!waits_for_room()) {
    const std::lock_guard lock(mutex_);
    group_.swap(queue_);
  } else if (!stopped_) {
    checkpoint(true);  // the log starts anew in the room that it has
  }
  if (!group_.empty()) {
    auto committed = commit_group();
    if (!committed) return;
    answer(std::move(*committed));
    checkpoint_if_due();
  }
  if (space_ != Space::enough) refill_reserve();
}

// The same group every time, so nothing overtakes it.
std::optional<Result<std::vector<Committed>>> Writer::commit_group() {
  while (true) {
    Result<std::vector<Committed>> committed = try_commit();
    if (committed) {
      if (space_ == Space::full) set_space(Space::low);
      return committed;
    }
    if (stopped_) return committed;
    if (committed.error().code != ErrorCode::disk_full) {
      stopped_ = committed.error();
      return committed;
    }
    if (mutated(Mutation::commit_without_room)) return std::vector<Committed>(group_.size());
    if (!find_room()) {
      set_space(Space::full);
      no_room_ = committed.error();
      return std::nullopt;
    }
    // Moving the log into the database lets the log start anew in the room that it has.
    checkpoint(true);
  }
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
  if (space_ == Space::enough) set_space(Space::low);
  return reserve_.give_back(Reserve::kForStarts);
}

void Writer::refill_reserve() {
  const bool is_whole = reserve_.take();
  if (is_whole && space_ != Space::enough) set_space(Space::enough);
  if (!is_whole && space_ == Space::enough) set_space(Space::low);
}

void Writer::set_space(Space space) {
  if (std::exchange(space_, space) == space || !on_space_) return;
  post_([on_space = on_space_, space] { on_space(space); });
}

void Writer::deliver(std::vector<Answer> answers) {
  auto shared = std::make_shared<std::vector<Answer>>(std::move(answers));
  post_([shared] {
    for (Answer& answer : *shared) answer.done(std::move(answer.result));
  });
}

void Writer::checkpoint_if_due() {
  const int frames = connection_->wal_frames();
  if (frames < checkpointed_at_) checkpointed_at_ = 0;  // the log has started anew
  const bool is_low = space_ != Space::enough;
  if (stopped_ || frames - checkpointed_at_ < (is_low ? kFramesOnLowSpace : kCheckpointFrames)) return;
  checkpointed_at_ = frames;
  checkpoint(is_low || frames >= kLongLogFrames);
}

void Writer::checkpoint(bool wait_for_readers) {
  try {
    if (wait_for_readers) connection_->set_busy_timeout(kReaderWait);
    connection_->checkpoint(wait_for_readers);
    if (wait_for_readers) connection_->set_busy_timeout(kBusyAtWork);
  } catch (const SqlError& error) {
    connection_->set_busy_timeout(kBusyAtWork);
    // Everything is safe in the log, so a full disk only means to try again later.
    if (error.error().code != ErrorCode::disk_full) stopped_ = error.error();
  }
}

}  // namespace baton::store
