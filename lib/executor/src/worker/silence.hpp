// Notices a session that is there and does nothing: stopped, hung, or behind a link that is cut without a word.
//
// Looks every `look_every` whether anything came in. If not, it asks with a Ping; after `silent_looks` more without a
// byte it says so, once. While what was sent before the Ping still leaves, somebody reads. Looks are counted and not
// time: a daemon or a machine that was stopped itself has looked once meanwhile, however long it was, and then reads
// what has come in.
#pragma once
#include "worker/link_ports.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace baton::executor {

class Silence {
 public:
  // `on_silence` may call stop().
  Silence(std::unique_ptr<Timer> timer, Duration look_every, int silent_looks,
          std::function<void(Duration)> on_silence);

  void watch(std::shared_ptr<Stream> stream);  // one that has greeted
  void stop();
  void pause(bool paused) { paused_ = paused; }  // nothing is read, so nothing can be heard

 private:
  void arm();
  void look();

  const std::unique_ptr<Timer> timer_;
  std::shared_ptr<char> armed_;  // a timer that is cancelled may have fired already
  const Duration look_every_;
  const int most_;
  const std::function<void(Duration)> on_silence_;
  std::shared_ptr<Stream> stream_;
  Stream::Traffic seen_;                  // at the last look
  std::optional<std::uint64_t> ping_at_;  // where in what is sent the Ping begins that was not answered
  int silent_ = 0;                        // looks since the Ping left
  bool paused_ = false;
};

}  // namespace baton::executor
