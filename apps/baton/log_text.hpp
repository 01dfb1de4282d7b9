// Logs on their way to a terminal: bytes that tasks wrote, made harmless.
#pragma once
#include <string>
#include <string_view>

namespace baton::cli {

// Lets text, newlines, tabs and colours (SGR sequences, ECMA-48) through; a carriage return becomes a new line; all
// other control characters and what is not UTF-8 are escaped. Works on chunks that may end anywhere.
class TerminalFilter {
 public:
  std::string feed(std::string_view bytes);
  // What was held back at the end of the last chunk, with the colours reset if the log left them changed.
  std::string finish();

 private:
  void plain(std::string_view text, bool is_last, std::string& out);
  bool control(std::string_view text, std::size_t& at, bool is_last, std::string& out);
  std::string run(bool is_last);

  std::string held_;
  bool after_return_ = false;
  bool coloured_ = false;
};

// Whole lines with a prefix before each, so that several logs can share an output.
class PrefixedLines {
 public:
  static constexpr std::size_t kLongestLine = 64u << 10;  // longer ones are broken

  PrefixedLines(std::string prefix, bool for_terminal) : prefix_(std::move(prefix)), filtered_(for_terminal) {}
  std::string feed(std::string_view bytes);
  std::string finish();

 private:
  std::string take_lines(std::string_view text);

  std::string prefix_;
  bool filtered_;
  TerminalFilter filter_;
  std::string line_;
};

}  // namespace baton::cli
