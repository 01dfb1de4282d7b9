// What a session and its daemon say to each other, as bytes in and bytes out: Hello first and once, then messages for
// the Runner. It waits for nothing and does no I/O on the link: the session program feeds it from stdin, the simulator
// from a link of its own.
#pragma once
#include <baton/wire/frame.hpp>
#include <baton/worker/runner.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace baton::worker {

class Conversation {
 public:
  // When so much waits for the daemon to read it, its messages wait.
  static constexpr std::size_t kBacklogBytes = 4u << 20;

  Conversation(Host& host, const Folder& folder, Journal journal, int null_fd, std::string boot_id);

  // Bytes from the daemon, cut anywhere. After an end nothing is taken any more.
  void feed(std::string_view bytes);
  // Starts what fits. At the end of every turn of the loop, before the output leaves.
  void end_turn();

  // What is to leave, and that some of it has: messages that waited for that are answered now, so that none waits
  // when there is nothing to leave.
  [[nodiscard]] std::string_view outgoing() const { return std::string_view(outgoing_).substr(sent_); }
  void sent(std::size_t bytes);
  [[nodiscard]] bool takes_input() const { return outgoing().size() <= kBacklogBytes; }

  // The session must end when its output has left: with exit code 0 (the daemon was refused) or 1 (see `problem`).
  [[nodiscard]] std::optional<int> end() const;
  [[nodiscard]] const std::string& problem() const { return problem_; }

  [[nodiscard]] Runner& runner() { return runner_; }
  [[nodiscard]] bool greeted() const { return greeted_; }

 private:
  void answer_messages();
  void on(const wire::Hello& hello);
  void dispatch(wire::ToWorker message);
  void say(const wire::ToDaemon& message);
  void refuse(std::string reason);
  void give_up(std::string problem);

  const Folder& folder_;
  Runner runner_;
  wire::FrameReader<wire::ToWorker> reader_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  bool greeted_ = false;
  std::optional<int> end_;
  std::string problem_;
};

}  // namespace baton::worker
