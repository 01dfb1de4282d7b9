// Several logs that are followed at once, each on a connection of its own, onto one output.
#pragma once
#include <baton/base/descriptor.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "follow.hpp"
#include "log_text.hpp"
#include "output.hpp"

namespace baton::cli {

// One log's bytes as they are shown.
class LogPrinter {
 public:
  // With an empty prefix, as_it_is: the bytes pass unchanged.
  LogPrinter(std::string prefix, Shown shown);
  std::string feed(std::string_view bytes);
  std::string finish();

 private:
  bool filtered_;
  std::optional<PrefixedLines> lines_;
  TerminalFilter filter_;
};

class LogStreams {
 public:
  static constexpr std::size_t kAtOnce = 32;  // others wait for their turn

  LogStreams(std::string socket, std::string run, bool prefixed, std::optional<std::uint64_t> tail, Output& out);
  ~LogStreams();  // stops at once
  LogStreams(const LogStreams&) = delete;
  LogStreams& operator=(const LogStreams&) = delete;

  // Follows the log of this attempt, if it is not followed already. `tail` counts for those that ran before.
  void add(const std::string& task, std::uint32_t attempt, bool ran_before);
  // Takes up again what broke off when the daemon went away, where it was.
  void resume();
  // A log that was begun with a tail has gone on after a break: where it was is not known, so something may be missing.
  [[nodiscard]] bool has_gap() const { return has_gap_; }
  // Waits until every log has come to its end. Returns how many did not, although they were tried again; nullopt:
  // `interrupts` came first.
  std::optional<std::size_t> finish(const Interrupts& interrupts);

 private:
  struct Job {
    std::string task;
    std::uint32_t attempt = 0;
    std::optional<std::uint64_t> tail;
    std::uint64_t received = 0;
    LogPrinter printer;
  };
  void queue(std::unique_ptr<Job> job);  // under the mutex
  void work();
  bool read(Job& job);  // false: it broke off
  bool insist(Job& job);
  bool await_threads(const Interrupts& interrupts);  // false: interrupted
  void stop();
  void print(const std::string& text);

  const std::string socket_;
  const std::string run_;
  const bool prefixed_;
  const std::optional<std::uint64_t> tail_;
  Output& out_;
  std::atomic<bool> has_gap_ = false;
  Descriptor stop_;      // eventfd, readable once it is time to stop
  Descriptor all_done_;  // eventfd, readable once no thread is left after it was closed
  std::mutex output_mutex_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::pair<std::string, std::uint32_t>> known_;
  std::deque<std::unique_ptr<Job>> waiting_;
  std::deque<std::unique_ptr<Job>> broken_;
  std::size_t idle_ = 0;
  std::size_t running_ = 0;  // threads
  bool closed_ = false;      // nothing is added any more
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace baton::cli
