#include <baton/worker/conversation.hpp>

#include <utility>

namespace baton::worker {

Conversation::Conversation(Host& host, const Folder& folder, Journal journal, int null_fd, std::string boot_id)
    : folder_(folder),
      runner_(host, folder, std::move(journal), null_fd, std::move(boot_id),
              [this](const wire::ToDaemon& message) { say(message); }) {}

// Only a Welcome can be too large, by an inventory of some hundred thousand attempts.
void Conversation::say(const wire::ToDaemon& message) {
  if (!wire::append_frame(outgoing_, message)) give_up("the attempts known here do not fit into one message");
}

void Conversation::feed(std::string_view bytes) {
  reader_.feed(bytes);
  answer_messages();
}

void Conversation::answer_messages() {
  while (!end_ && takes_input()) {
    auto message = reader_.next();
    if (!message) return give_up(message.error().message);
    if (!*message) return;
    dispatch(std::move(**message));
  }
}

void Conversation::on(const wire::Hello& hello) {
  std::string reason;
  if (hello.protocol != wire::kProtocolVersion) {
    reason = fmt::format("protocol {} is spoken here, not {}", wire::kProtocolVersion, hello.protocol);
  } else if (auto admitted = admit_daemon(folder_.fd.get(), hello.daemon_id, hello.incarnation); !admitted) {
    reason = admitted.error().message;
  }
  if (reason.empty()) {
    greeted_ = true;
    runner_.welcome(hello.capacity);
    return;
  }
  refuse(std::move(reason));
  end_ = 0;
}

void Conversation::dispatch(wire::ToWorker message) {
  const bool is_hello = std::holds_alternative<wire::Hello>(message);
  if (is_hello == greeted_) return give_up("the daemon must say Hello first, and once");
  if (const auto* hello = std::get_if<wire::Hello>(&message)) on(*hello);
  if (auto* launch = std::get_if<wire::Launch>(&message)) runner_.launch(std::move(*launch));
  if (const auto* kill = std::get_if<wire::Kill>(&message)) runner_.kill(*kill);
  if (const auto* forget = std::get_if<wire::Forget>(&message)) runner_.forget(*forget);
  if (const auto* read = std::get_if<wire::ReadLog>(&message)) runner_.read_log(*read);
  if (std::holds_alternative<wire::Ping>(message)) say(wire::Pong{});
}

void Conversation::refuse(std::string reason) { say(wire::ToDaemon(wire::Refused{std::move(reason)})); }

void Conversation::give_up(std::string problem) {
  refuse(problem);
  problem_ = std::move(problem);
  end_ = 1;
}

void Conversation::end_turn() {
  runner_.send_signals();
  if (greeted_ && !end_) runner_.start_queued();
  // What was done so far is recorded. Leaving hands the rest to the supervisor, which waits until it can record it.
  if (runner_.failure() && !end_) give_up(runner_.failure()->message);
}

void Conversation::sent(std::size_t bytes) {
  const bool held = !takes_input();
  sent_ += bytes;
  if (sent_ == outgoing_.size() || sent_ >= kBacklogBytes) {
    outgoing_.erase(0, sent_);
    sent_ = 0;
    if (outgoing_.empty() && outgoing_.capacity() > kBacklogBytes) outgoing_.shrink_to_fit();
  }
  if (!held || !takes_input()) return;
  answer_messages();
  end_turn();
}

std::optional<int> Conversation::end() const { return end_; }

}  // namespace baton::worker
