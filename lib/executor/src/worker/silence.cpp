#include "worker/silence.hpp"

#include <baton/base/mutation.hpp>

#include <utility>

namespace baton::executor {

Silence::Silence(std::unique_ptr<Timer> timer, Duration look_every, int silent_looks,
                 std::function<void(Duration)> on_silence)
    : timer_(std::move(timer)), look_every_(look_every), most_(silent_looks), on_silence_(std::move(on_silence)) {}

void Silence::watch(std::shared_ptr<Stream> stream) {
  stream_ = std::move(stream);
  seen_ = stream_->traffic();
  ping_at_.reset();
  silent_ = 0;
  arm();
}

void Silence::stop() {
  timer_->cancel();
  armed_.reset();
  stream_.reset();
}

void Silence::arm() {
  armed_ = std::make_shared<char>();
  timer_->start(look_every_, [this, armed = std::weak_ptr(armed_)] {
    if (!armed.expired()) look();
  });
}

void Silence::look() {
  if (!stream_ || mutated(Mutation::ignore_silence)) return;
  const Stream::Traffic now = stream_->traffic();
  if (now.received != seen_.received) {
    ping_at_.reset();
    silent_ = 0;
  } else if (paused_) {
    return arm();
  } else if (!ping_at_) {
    ping_at_ = now.left + now.waiting;
    stream_->send(wire::Ping{});
  } else if (now.left != seen_.left && seen_.left < *ping_at_) {
    silent_ = 0;  // what comes behind it may lie in a pipe that nobody reads
  } else if (++silent_ >= most_) {
    return on_silence_(look_every_ * silent_);
  }
  seen_ = now;
  arm();
}

}  // namespace baton::executor
