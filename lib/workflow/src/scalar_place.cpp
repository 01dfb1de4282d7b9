#include "scalar_place.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace baton::workflow {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

bool is_white(char c) { return kWhiteSpace.find(c) != std::string_view::npos; }

std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return end - at;
}

// A scalar as it is written, character by character, without its white space: folding and indentation change nothing
// else, so that what remains stands in the same order in the text.
class Written {
 public:
  struct Character {
    std::size_t begin;
    bool as_it_is;  // not an escape
    bool new_line;  // the first one of its line
  };

  Written(std::string_view source, std::size_t at) : source_(source), at_(at) {
    const char first = at < source.size() ? source[at] : '\0';
    if (first == '|' || first == '>') {
      at_ = std::min(source.find('\n', at), source.size());  // behind the header
    } else if (first == '"' || first == '\'') {
      quote_ = first;
      ++at_;
    }
  }

  [[nodiscard]] std::size_t at() const { return at_; }

  std::optional<Character> next() {
    bool new_line = false;
    while (at_ < source_.size()) {
      const std::size_t begin = at_;
      const char c = source_[begin];
      if (is_white(c)) {
        new_line = new_line || c == '\n';
        ++at_;
      } else if (c == '\\' && quote_ == '"') {
        if (!skip_escape()) return Character{begin, false, new_line};
      } else if (c == quote_) {
        if (quote_ != '\'' || source_.substr(begin + 1, 1) != "'") return std::nullopt;
        at_ += 2;
        return Character{begin, false, new_line};
      } else {
        at_ += character_size(source_, begin);
        return Character{begin, true, new_line};
      }
    }
    return std::nullopt;
  }

 private:
  // Whether it stands for white space.
  bool skip_escape() {
    const char kind = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    const std::string_view hex = source_.substr(std::min(at_ + 2, source_.size()), digits);
    at_ += 2 + digits;
    if (digits == 0) return is_white(kind) || kind == 'n' || kind == 't' || kind == 'r';
    std::uint32_t code = 0;
    std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    return code != 0 && code < 0x80 && is_white(static_cast<char>(code));
  }

  std::string_view source_;
  std::size_t at_;
  char quote_ = '\0';
};

}  // namespace

std::size_t behind_properties(std::string_view source, std::size_t at) {
  while (at < source.size() && (source[at] == '&' || source[at] == '!')) {
    at = std::min(source.find_first_of(kWhiteSpace, at), source.size());
    while (at < source.size() && (is_white(source[at]) || source[at] == '#')) {
      at = source[at] == '#' ? std::min(source.find('\n', at), source.size()) : at + 1;
    }
  }
  return at;
}

Origin origin_of(const SourceText& source, Node scalar) {
  if (const auto begin = scalar.text_offset()) return {.pos = source.pos(*begin), .marks = {}};
  const std::string_view text = scalar.text();
  Written written(source.text(), behind_properties(source.text(), scalar.written_at()));
  Origin origin{.pos = source.pos(written.at()), .marks = {}};
  constexpr std::size_t kNowhere = std::string_view::npos;
  std::size_t expected = kNowhere;  // where the text's next character stands if the two go on side by side
  for (std::size_t at = 0; at < text.size();) {
    if (is_white(text[at])) {
      if (expected != kNowhere) ++expected;
      ++at;
      continue;
    }
    const auto character = written.next();
    if (!character) break;
    if (character->begin != expected || character->new_line) {
      origin.marks.push_back({static_cast<std::uint32_t>(at), source.pos(character->begin)});
    }
    const std::size_t size = character_size(text, at);
    expected = character->as_it_is ? character->begin + size : kNowhere;
    at += size;
  }
  return origin;
}

}  // namespace baton::workflow
