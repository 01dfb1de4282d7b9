#include "log_streams.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <baton/api/client.hpp>
#include <baton/base/text.hpp>

#include <algorithm>
#include <array>

#include "exit_codes.hpp"

namespace baton::cli {

namespace {

constexpr int kFruitlessTries = 3;  // without a single byte

void raise(const Descriptor& event) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event.get(), &one, sizeof one);
}

}  // namespace

LogPrinter::LogPrinter(std::string prefix, Shown shown)
    : filtered_(shown != Shown::as_it_is), filter_(shown == Shown::coloured) {
  if (!prefix.empty()) lines_.emplace(std::move(prefix), shown);
}

std::string LogPrinter::feed(std::string_view bytes) {
  if (lines_) return lines_->feed(bytes);
  return filtered_ ? filter_.feed(bytes) : std::string(bytes);
}

std::string LogPrinter::finish() {
  if (lines_) return lines_->finish();
  return filtered_ ? filter_.finish() : std::string();
}

LogStreams::LogStreams(std::string socket, std::string run, bool prefixed, std::optional<std::uint64_t> tail,
                       Output& out)
    : socket_(std::move(socket)),
      run_(std::move(run)),
      prefixed_(prefixed),
      tail_(tail),
      out_(out),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      all_done_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

LogStreams::~LogStreams() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void LogStreams::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  raise(stop_);
  changed_.notify_all();
}

void LogStreams::add(const std::string& task, std::uint32_t attempt, bool ran_before) {
  const std::lock_guard lock(mutex_);
  if (!known_.emplace(task, attempt).second) return;
  const std::string prefix = prefixed_ ? escape_control(task) + " | " : std::string();
  queue(std::make_unique<Job>(
      Job{task, attempt, ran_before ? tail_ : std::nullopt, 0, LogPrinter(prefix, shown_on(out_))}));
}

// A thread that was woken counts as idle until it has taken its job.
void LogStreams::queue(std::unique_ptr<Job> job) {
  waiting_.push_back(std::move(job));
  if (waiting_.size() > idle_ && threads_.size() < kAtOnce) {
    ++running_;
    threads_.emplace_back([this] { work(); });
  }
  changed_.notify_all();
}

void LogStreams::resume() {
  const std::lock_guard lock(mutex_);
  for (std::unique_ptr<Job>& job : std::exchange(broken_, {})) queue(std::move(job));
}

std::optional<std::size_t> LogStreams::finish(const Interrupts& interrupts) {
  resume();
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    if (running_ == 0) raise(all_done_);
  }
  changed_.notify_all();
  if (!await_threads(interrupts)) return std::nullopt;
  return broken_.size();
}

bool LogStreams::await_threads(const Interrupts& interrupts) {
  while (true) {
    std::array<pollfd, 2> fds{{{all_done_.get(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[0].revents != 0) return true;
    if (fds[1].revents != 0) return false;
  }
}

void LogStreams::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || closed_ || !waiting_.empty(); });
    --idle_;
    if (stopping_ || waiting_.empty()) break;
    std::unique_ptr<Job> job = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    bool ended = read(*job);
    lock.lock();
    if (!ended && closed_) {  // nobody takes it up again later
      lock.unlock();
      ended = insist(*job);
      lock.lock();
    }
    if (!ended) broken_.push_back(std::move(job));
  }
  if (--running_ == 0 && closed_) raise(all_done_);
}

bool LogStreams::insist(Job& job) {
  for (int fruitless = 0; fruitless < kFruitlessTries; ++fruitless) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
    }
    const std::uint64_t before = job.received;
    if (read(job)) return true;
    if (job.received != before) fruitless = 0;
  }
  return false;
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
  bool may_miss = job.tail && job.received != 0;
  const auto end = client.log(
      query,
      [&](std::string_view bytes) {
        const std::uint64_t skipped = std::min<std::uint64_t>(skip, bytes.size());
        skip -= skipped;
        bytes.remove_prefix(static_cast<std::size_t>(skipped));
        if (std::exchange(may_miss, false)) has_gap_ = true;
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
