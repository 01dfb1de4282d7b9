// Drives the real baton-worker as a daemon would. Everything waits on events, with one generous limit for what hangs.
#pragma once
#include <baton/wire/frame.hpp>

#include <sys/types.h>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace baton::test {

using namespace baton::wire;

// A worker folder of its own. At its end no process that belongs to it is left.
class Host {
 public:
  explicit Host(std::string name = "worker");
  ~Host();
  Host(const Host&) = delete;

  [[nodiscard]] const std::string& root() const { return root_; }      // a folder for the test's own files
  [[nodiscard]] const std::string& folder() const { return folder_; }  // the worker's
  [[nodiscard]] std::optional<pid_t> supervisor() const;
  [[nodiscard]] std::optional<pid_t> session() const;

  int idle_exit_ms = 60'000;
  std::vector<std::pair<std::string, std::string>> environment;  // of the worker

 private:
  std::string root_, folder_;
};

// One `baton-worker attach`.
class Link {
 public:
  explicit Link(const Host& host);
  ~Link();
  Link(const Link&) = delete;

  void send(const ToWorker& message);
  void send_at_once(const std::vector<ToWorker>& messages);  // in one write; they are few and small
  // For links that may be cut at any moment: false or nullopt when this one is.
  bool try_send(const ToWorker& message);
  std::optional<ToDaemon> try_receive();
  // Hello, and the Welcome that answers it.
  Welcome greet(std::uint64_t incarnation = 1, std::int64_t cpus = 2);
  // The next message of this kind that fits; others are kept for later.
  template <class T>
  T wait(const std::function<bool(const T&)>& fits = [](const T&) { return true; }) {
    for (std::size_t at = 0;; ++at) {
      if (at == waiting_.size() && !receive()) FAIL("the link closed while a message was awaited; " << errors());
      const T* message = std::get_if<T>(&waiting_[at]);
      if (message == nullptr || !fits(*message)) continue;
      T found = *message;
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
      return found;
    }
  }
  Started started(std::uint64_t attempt);
  Outcome exited(std::uint64_t attempt);
  std::string log(const LogExtent& extent, bool from_end = false, std::uint32_t max_bytes = 1u << 16);
  // Until the worker closes the stream; what is still in it is kept.
  void wait_for_end();
  [[nodiscard]] bool has(const std::function<bool(const ToDaemon&)>& fits) const;
  void close_input();
  // Of the attach program, after its end.
  int exit_code();
  [[nodiscard]] pid_t attach_pid() const { return attach_; }
  [[nodiscard]] std::string errors() const;
  [[nodiscard]] int output() const { return out_; }

 private:
  bool receive();

  std::string error_file_;
  pid_t attach_ = 0;
  int in_ = -1, out_ = -1;
  FrameReader<ToDaemon> reader_;
  std::deque<ToDaemon> waiting_;
};

Launch command(std::uint64_t attempt, std::vector<std::string> argv);
Launch script(std::uint64_t attempt, std::string text);
Kill kill_of(std::uint64_t attempt);

// The end of a process that is not our child.
void wait_for_process_end(pid_t pid);
bool process_exists(pid_t pid);
pid_t parent_of(pid_t pid);  // 0: it is gone
// The file's bytes once `fits` says so; woken by changes of its folder.
std::string wait_for_file(const std::string& path, const std::function<bool(const std::string&)>& fits);
std::string read_file(const std::string& path);
// Processes whose environment or arguments mention `text`.
std::vector<pid_t> processes_of(const std::string& text);

}  // namespace baton::test
