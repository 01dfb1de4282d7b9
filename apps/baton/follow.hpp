// Follows a run to its end: through slow readers, through a daemon that dies and is started again, until Ctrl-C.
#pragma once
#include <baton/base/descriptor.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "session.hpp"

namespace baton::cli {

// While it lives, Ctrl-C does not kill the program but makes fd() readable; where it was ignored it stays so.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  // Takes one Ctrl-C; false if none comes within `time`.
  bool take(std::chrono::milliseconds time);
  // While this lives, Ctrl-C kills the program all the same: around what waits for something else than fd().
  class Suspended {
   public:
    explicit Suspended(const Interrupts& interrupts);
    ~Suspended();
    Suspended(const Suspended&) = delete;
    Suspended& operator=(const Suspended&) = delete;

   private:
    const bool was_blocked_;
  };

 private:
  Descriptor fd_;
  bool was_blocked_ = false;
};

class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void on_events(std::span<const views::EventView> events) = 0;
  // Something else is about to be written: leave the terminal in order.
  virtual void on_break() {}
  // How often on_tick wants to be called; zero: never.
  [[nodiscard]] virtual std::chrono::milliseconds tick() const { return std::chrono::milliseconds(0); }
  virtual void on_tick() {}
  // The listener has what it wanted; asked after every batch.
  [[nodiscard]] virtual bool is_satisfied() { return false; }
};

enum class FollowEnd { run_ended, satisfied, interrupted, timed_out };

struct FollowQuery {
  std::string run;          // id
  std::uint64_t after = 0;  // moves on with the events
  std::size_t tail = 0;
  std::optional<std::chrono::steady_clock::time_point> deadline;
};

// Problems: stopped when somebody has stopped the daemon, which is not started again then; unavailable when it is gone
// and may not be, or cannot be, started; whatever the daemon refuses.
api::Answer<FollowEnd> follow(Session& session, FollowQuery& query, RunListener& listener, Interrupts& interrupts);

}  // namespace baton::cli
