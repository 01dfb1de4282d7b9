#include <baton/service/background.hpp>

#include <signal.h>
#include <spdlog/spdlog.h>

#include <exception>
#include <new>
#include <optional>
#include <utility>

namespace baton::service {

Background::Background() {
  // Signals belong to the event loop's thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Background::~Background() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

bool Background::run(std::function<void()> work, std::function<void(Error)> failed) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= kMaxJobs) return false;
    jobs_.push_back({std::move(work), std::move(failed)});
  }
  changed_.notify_one();
  return true;
}

void Background::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (ending_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    perform(std::move(job));  // what it holds is freed outside the lock
    lock.lock();
  }
}

// A request that asks for too much must not end the daemon.
void Background::perform(Job job) {
  std::optional<Error> error;
  try {
    job.work();
  } catch (const std::bad_alloc&) {
    error = Error{ErrorCode::internal, "not enough memory"};
  } catch (const std::exception& exception) {
    spdlog::error("a background job ends by an exception: {}", exception.what());
    error = Error{ErrorCode::internal, "the daemon failed to answer; its log says why"};
  }
  job.work = nullptr;
  if (error) job.failed(*std::move(error));
}

}  // namespace baton::service
