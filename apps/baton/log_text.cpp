#include "log_text.hpp"

#include <baton/base/text.hpp>

#include <algorithm>

namespace baton::cli {
namespace {

constexpr char kEscape = '\x1b';
constexpr std::size_t kLongestSgr = 64;
constexpr std::string_view kReset = "\x1b[0m";

// How many bytes at the end of `text` may be the beginning of a UTF-8 sequence that goes on in the next chunk.
std::size_t unfinished_utf8(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

// ESC [ digits ; m. The length of the sequence at the beginning; 0: it is none; npos: it may become one.
std::size_t sgr_length(std::string_view text) {
  if (text.size() < 2) return std::string_view::npos;
  if (text[1] != '[') return 0;
  const std::size_t end = text.find_first_not_of("0123456789;:", 2);
  if (end == std::string_view::npos) return text.size() < kLongestSgr ? end : 0;
  return text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

void TerminalFilter::plain(std::string_view text, bool is_last, std::string& out) {
  const std::size_t unfinished = is_last ? unfinished_utf8(text) : 0;
  out += escape_control(text.substr(0, text.size() - unfinished));
  held_ = text.substr(text.size() - unfinished);
}

// The control character at `at`; false: it is held back with everything behind it.
bool TerminalFilter::control(std::string_view text, std::size_t& at, bool is_last, std::string& out) {
  const char c = text[at];
  if (c == kEscape) {
    const std::size_t length = sgr_length(text.substr(at));
    if (length == std::string_view::npos && !is_last) {
      held_ = text.substr(at);
      return false;
    }
    if (length != 0 && length != std::string_view::npos) {
      const std::string_view sequence = text.substr(at, length);
      coloured_ = colours_ && sequence != kReset && sequence != "\x1b[m";
      if (colours_) out += sequence;
      at += length;
      return true;
    }
    out += escape_control(text.substr(at, 1));
  } else if (c == '\r') {
    after_return_ = true;
  } else {
    out += c;  // \n and \t
  }
  ++at;
  return true;
}

std::string TerminalFilter::run(bool is_last) {
  const std::string text = std::move(held_);
  held_.clear();
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (after_return_) {
      after_return_ = false;
      if (text[at] != '\n') out += '\n';
    }
    const std::size_t next = std::min(text.find_first_of("\n\t\r\x1b", at), text.size());
    if (next != at) plain(std::string_view(text).substr(at, next - at), next == text.size() && !is_last, out);
    at = next;
    if (at < text.size() && !control(text, at, is_last, out)) break;
  }
  return out;
}

std::string TerminalFilter::feed(std::string_view bytes) {
  held_ += bytes;
  return run(false);
}

std::string TerminalFilter::finish() {
  std::string out = run(true);
  if (after_return_) out += '\n';
  if (coloured_) out += kReset;
  after_return_ = false;
  coloured_ = false;
  return out;
}

Shown shown_on(const Output& out) {
  if (!out.is_terminal()) return Shown::as_it_is;
  return out.colour() ? Shown::coloured : Shown::plain;
}

std::string PrefixedLines::take_lines(std::string_view text) {
  std::string out;
  const auto end_line = [&] {
    out += prefix_ + line_;
    if (filtered_ && line_.find(kEscape) != std::string::npos) out += kReset;
    out += '\n';
    line_.clear();
  };
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    line_ += text.substr(0, std::min(end, kLongestLine));
    if (end == std::string_view::npos) {
      text.remove_prefix(std::min(text.size(), kLongestLine));
      if (line_.size() >= kLongestLine) end_line();
    } else if (end > kLongestLine) {
      text.remove_prefix(kLongestLine);
      end_line();
    } else {
      text.remove_prefix(end + 1);
      end_line();
    }
  }
  return out;
}

std::string PrefixedLines::feed(std::string_view bytes) {
  return take_lines(filtered_ ? filter_.feed(bytes) : std::string(bytes));
}

std::string PrefixedLines::finish() {
  std::string rest = filtered_ ? filter_.finish() : std::string();
  // A reset of the colours alone is not a line.
  if (line_.empty() && rest == kReset) return {};
  std::string out = take_lines(rest);
  if (!line_.empty()) out += take_lines("\n");
  return out;
}

}  // namespace baton::cli
