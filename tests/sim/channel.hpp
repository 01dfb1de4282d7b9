// A link between the daemon and a session: two byte streams that are late, and may be cut anywhere.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "world.hpp"

namespace baton::sim {

// One direction. What is on its way when it is cut is lost from some byte on; the receiver hears of the end later.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  Pipe(World& world, std::uint64_t id) : world_(world), id_(id) {}

  // The receiving end; null: nobody reads any more.
  void receive(std::shared_ptr<Life> life, std::function<void(std::string)> bytes, std::function<void()> end) {
    life_ = std::move(life);
    bytes_ = std::move(bytes);
    end_ = std::move(end);
  }
  void send(std::string bytes);
  void close(Time notice);                      // what was sent before arrives
  void cut(std::uint64_t chance, Time notice);  // some of what was sent arrives

 private:
  void deliver();
  void end_later(Time notice);

  World& world_;
  std::uint64_t id_;
  std::uint64_t sent_ = 0;
  Time last_ = 0;
  bool closed_ = false;
  std::deque<std::string> under_way_;
  std::shared_ptr<Life> life_;
  std::function<void(std::string)> bytes_;
  std::function<void()> end_;
};

struct Channel {
  Channel(World& world, std::uint64_t id)
      : to_worker(std::make_shared<Pipe>(world, id * 2)), to_daemon(std::make_shared<Pipe>(world, id * 2 + 1)) {}
  std::shared_ptr<Pipe> to_worker, to_daemon;
};

}  // namespace baton::sim
