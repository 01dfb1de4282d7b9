#include "log_streams.hpp"

#include <sys/eventfd.h>
#include <baton/api/client.hpp>
#include <baton/base/text.hpp>

#include <algorithm>

#include "exit_codes.hpp"

namespace baton::cli {

namespace {

constexpr int kFruitlessTries = 3;  // without a single byte

}  // namespace

LogPrinter::LogPrinter(std::string prefix, bool terminal) : terminal_(terminal) {
  if (!prefix.empty()) lines_.emplace(std::move(prefix), terminal);
}

std::string LogPrinter::feed(std::string_view bytes) {
  if (lines_) return lines_->feed(bytes);
  return terminal_ ? filter_.feed(bytes) : std::string(bytes);
}

std::string LogPrinter::finish() {
  if (lines_) return lines_->finish();
  return terminal_ ? filter_.finish() : std::string();
}

LogStreams::LogStreams(std::string socket, std::string run, bool prefixed, std::optional<std::uint64_t> tail,
                       Output& out)
    : socket_(std::move(socket)),
      run_(std::move(run)),
      prefixed_(prefixed),
      tail_(tail),
      out_(out),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

LogStreams::~LogStreams() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_.get(), &one, sizeof one);
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void LogStreams::add(const std::string& task, std::uint32_t attempt, bool ran_before) {
  const std::lock_guard lock(mutex_);
  if (!known_.emplace(task, attempt).second) return;
  const std::string prefix = prefixed_ ? escape_control(task) + " | " : std::string();
  waiting_.push_back(std::make_unique<Job>(
      Job{task, attempt, ran_before ? tail_ : std::nullopt, 0, LogPrinter(prefix, out_.is_terminal())}));
  if (idle_ == 0 && threads_.size() < kAtOnce) {
    threads_.emplace_back([this] { work(); });
  }
  changed_.notify_all();
}

void LogStreams::resume() {
  const std::lock_guard lock(mutex_);
  if (broken_.empty()) return;
  std::move(broken_.begin(), broken_.end(), std::back_inserter(waiting_));
  broken_.clear();
  changed_.notify_all();
}

std::size_t LogStreams::finish() {
  resume();
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  return static_cast<std::size_t>(std::count_if(broken_.begin(), broken_.end(), [this](const auto& job) {
    std::uint64_t before = 0;
    for (int fruitless = 0; fruitless < kFruitlessTries; ++fruitless) {
      before = job->received;
      if (read(*job)) return false;
      if (job->received != before) fruitless = 0;
    }
    return true;
  }));
}

void LogStreams::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || closed_ || !waiting_.empty(); });
    --idle_;
    if (stopping_ || waiting_.empty()) return;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const bool ended = read(*job);
    lock.lock();
    if (!ended) broken_.push_back(std::move(job));
  }
}

bool LogStreams::read(Job& job) {
  api::Client client(socket_);
  api::LogQuery query;
  query.run = run_;
  query.task = job.task;
  query.attempt = job.attempt;
  query.follow = true;
  // Taken up again: with a tail nobody knows where it began, so only what is new; else skip what was shown.
  std::uint64_t skip = job.tail ? 0 : job.received;
  if (job.tail) query.tail = job.received == 0 ? *job.tail : 0;
  const auto end = client.log(
      query,
      [&](std::string_view bytes) {
        const std::uint64_t skipped = std::min<std::uint64_t>(skip, bytes.size());
        skip -= skipped;
        bytes.remove_prefix(static_cast<std::size_t>(skipped));
        job.received += bytes.size();
        print(job.printer.feed(bytes));
        return out_.ok();
      },
      stop_.get());
  if (!end && exit_code_of(end.error().error.code) == kExitUnreachable) return false;
  // Anything else that is refused has no log: an attempt that could not be started.
  print(job.printer.finish());
  return true;
}

void LogStreams::print(const std::string& text) {
  if (text.empty()) return;
  const std::lock_guard lock(output_mutex_);
  out_.write(text);
  out_.flush();
}

}  // namespace baton::cli
