// The daemon's log as a file that does not grow without end: the library's rotating file, opened anew after whatever
// went wrong with it. A full disk loses lines at most.
#pragma once
#include <baton/service/log.hpp>

#include <spdlog/sinks/base_sink.h>

#include <array>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

namespace spdlog::sinks {
template <typename Mutex>
class rotating_file_sink;
}

namespace baton::service {

class LogFile final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // If stdout or stderr leads to the file it goes on doing so, whatever takes the file's place: what a crash says
  // belongs there. What the file does not take is said on stderr.
  LogFile(std::string path, LogFileBounds bounds);
  ~LogFile() override;
  LogFile(const LogFile&) = delete;

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}  // every line is
  void set_formatter_(std::unique_ptr<spdlog::formatter> formatter) override;

 private:
  void open();

  const std::string path_;
  const LogFileBounds bounds_;
  const std::array<bool, 2> along_;  // stdout, stderr
  std::unique_ptr<spdlog::sinks::rotating_file_sink<spdlog::details::null_mutex>> file_;
  std::chrono::steady_clock::time_point open_at_;
};

}  // namespace baton::service
