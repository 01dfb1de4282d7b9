// Where a verb writes: standard output or standard error, buffered, with what the CLI must know about it.
// Threads may write at the same time: logs come from several, and notices from another one.
#pragma once
#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace baton::cli {

class Output {
 public:
  struct Size {
    unsigned columns = 80, rows = 24;
  };

  // `colour` allows colours; they are used on a terminal only.
  Output(int fd, bool colour);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view bytes);
  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::format(format, std::forward<Args>(args)...));
  }
  void flush();

  [[nodiscard]] bool is_terminal() const { return terminal_; }
  // A terminal that understands cursor movements.
  [[nodiscard]] bool can_redraw() const { return redraw_; }
  [[nodiscard]] bool colour() const { return colour_; }
  [[nodiscard]] Size size() const;  // of the terminal, as it is now
  // errno of the first write that failed, 0 if none did. After a failure everything else is dropped.
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] bool ok() const { return error_ == 0; }

 private:
  void write_out();
  int fd_;
  bool terminal_;
  bool redraw_;
  bool colour_;
  std::atomic<int> error_ = 0;
  std::mutex mutex_;
  std::string buffer_;
};

}  // namespace baton::cli
