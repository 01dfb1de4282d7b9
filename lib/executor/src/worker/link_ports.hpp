// What a Link needs of the world: a stream to a session, timers, and a loop to be called on. The daemon's are made of
// Asio (worker_executor.cpp), the simulator's of virtual time.
#pragma once
#include <baton/executor/worker_executor.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace baton::executor {

// One connected stream of frames to a worker session. It lives until it is closed; nothing that arrives later is
// delivered, so that a session of before a reconnect can never be taken for the present one.
class Stream {
 public:
  // In bytes.
  struct Traffic {
    std::uint64_t received = 0;  // also of messages that are not complete yet
    std::uint64_t left = 0;      // of what was sent
    std::uint64_t waiting = 0;   // of what was sent and has not left
  };
  struct Handlers {
    std::function<void(std::vector<wire::ToDaemon>)> messages;  // never empty
    std::function<void(Error)> closed;                          // once, unless close() was called first
  };
  virtual ~Stream() = default;
  // Queued; never calls a handler from inside. False, and nothing is sent, if the message is too large for a frame.
  virtual bool send(const wire::ToWorker& message) = 0;
  virtual void pause(bool paused) = 0;  // while paused nothing is read
  virtual void close() = 0;
  [[nodiscard]] virtual Traffic traffic() const = 0;
};

// Fires once for each start; a new start takes the place of the one before.
class Timer {
 public:
  virtual ~Timer() = default;  // cancels
  virtual void start(Duration after, std::function<void()> fire) = 0;
  virtual void cancel() = 0;
};

class LinkPorts {
 public:
  virtual ~LinkPorts() = default;
  // Nothing is read before the first pause(false).
  virtual Result<std::shared_ptr<Stream>> dial(const LinkOptions& link, Stream::Handlers handlers) = 0;
  virtual std::unique_ptr<Timer> make_timer() = 0;
  virtual void post(std::function<void()> completion) = 0;  // never run inside the call
};

}  // namespace baton::executor
