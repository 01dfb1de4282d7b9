// Logs on their way to a terminal: bytes that tasks wrote, made harmless.
#pragma once
#include <string>
#include <string_view>

#include "output.hpp"

namespace baton::cli {

// Lets text, newlines, tabs and colours (SGR sequences, ECMA-48; without `colours` they are dropped) through; a
// carriage return becomes a new line; all other control characters and what is not UTF-8 are escaped. Works on chunks
// that may end anywhere.
class TerminalFilter {
 public:
  explicit TerminalFilter(bool colours) : colours_(colours) {}
  std::string feed(std::string_view bytes);
  // What was held back at the end of the last chunk, with the colours reset if the log left them changed.
  std::string finish();

 private:
  void plain(std::string_view text, bool is_last, std::string& out);
  bool control(std::string_view text, std::size_t& at, bool is_last, std::string& out);
  std::string run(bool is_last);

  bool colours_;
  std::string held_;
  bool after_return_ = false;
  bool coloured_ = false;
};

// How a log is shown: without a terminal as it is, else harmless, with or without its colours.
enum class Shown { as_it_is, coloured, plain };
Shown shown_on(const Output& out);

// Whole lines with a prefix before each, so that several logs can share an output.
class PrefixedLines {
 public:
  static constexpr std::size_t kLongestLine = 64u << 10;  // longer ones are broken

  PrefixedLines(std::string prefix, Shown shown)
      : prefix_(std::move(prefix)), filtered_(shown != Shown::as_it_is), filter_(shown == Shown::coloured) {}
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
