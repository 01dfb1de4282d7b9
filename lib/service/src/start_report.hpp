// Tells whoever started the daemon, once, how that went.
#pragma once
#include <string>
#include <string_view>

namespace baton::service {

class StartReport {
 public:
  // Takes the descriptor; -1: nobody listens. It does not reach the programs that the daemon starts.
  explicit StartReport(int fd);
  ~StartReport();
  StartReport(const StartReport&) = delete;
  StartReport& operator=(const StartReport&) = delete;

  void ready() { say("ready\n"); }
  void failed(const std::string& message) { say("error: " + message + "\n"); }

 private:
  void say(std::string_view line);
  int fd_;
};

}  // namespace baton::service
