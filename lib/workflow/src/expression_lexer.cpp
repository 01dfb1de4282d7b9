#include "expression_lexer.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace baton::workflow {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c); }

// Longest first, so that the first one that fits is the right one.
constexpr std::array<std::string_view, 22> kSymbols{"==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-",
                                                    "*",  "/",  "%",  "?",  ":",  "(",  ")", "[", "]", ",", "."};

}  // namespace

bool Lexer::fail(std::size_t offset, std::string message, std::string hint) {
  error_ = {offset, std::move(message), std::move(hint)};
  return false;
}

void Lexer::take(Token& token, Token::Kind kind, std::size_t end) {
  token.kind = kind;
  token.text = text_.substr(at_, end - at_);
  if (token.is(".")) {
    behind_ = behind_ == Behind::needs ? Behind::needs_dot : Behind::dot;
  } else {
    const bool context = kind == Token::Kind::identifier && behind_ == Behind::nothing && token.text == "needs";
    behind_ = context ? Behind::needs : Behind::nothing;
  }
  at_ = end;
}

bool Lexer::next(Token& token) {
  token = Token{};
  while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  token.offset = static_cast<std::uint32_t>(at_);
  if (at_ == text_.size()) return true;
  const char c = text_[at_];
  if (is_word(c) && (!is_digit(c) || behind_ == Behind::needs_dot)) {
    std::size_t end = at_;
    while (end < text_.size() && (is_word(text_[end]) || (behind_ == Behind::needs_dot && text_[end] == '-'))) ++end;
    take(token, Token::Kind::identifier, end);
    return true;
  }
  if (is_digit(c)) return number(token);
  if (c == '\'') return single_quoted(token);
  if (c == '"') return double_quoted(token);
  return symbol(token);
}

bool Lexer::number(Token& token) {
  std::size_t end = at_;
  while (end < text_.size() &&
         (is_word(text_[end]) || (text_[end] == '.' && end + 1 < text_.size() && is_digit(text_[end + 1])) ||
          ((text_[end] == '+' || text_[end] == '-') && (text_[end - 1] == 'e' || text_[end - 1] == 'E')))) {
    ++end;
  }
  const std::string_view digits = text_.substr(at_, end - at_);
  const char* const last = digits.data() + digits.size();
  std::int64_t integer = 0;
  if (const auto [stop, error] = std::from_chars(digits.data(), last, integer); error == std::errc{} && stop == last) {
    token.value = integer;
  } else {
    double real = 0;
    const auto parsed = std::from_chars(digits.data(), last, real);
    if (parsed.ec != std::errc{} || parsed.ptr != last || !std::isfinite(real)) {
      return fail(at_, fmt::format("`{}` is not a number", digits));
    }
    token.value = real;
  }
  take(token, Token::Kind::literal, end);
  return true;
}

bool Lexer::single_quoted(Token& token) {
  std::string value;
  for (std::size_t at = at_ + 1; at < text_.size(); ++at) {
    if (text_[at] != '\'') {
      value += text_[at];
    } else if (at + 1 < text_.size() && text_[at + 1] == '\'') {
      value += '\'';
      ++at;
    } else {
      token.value = std::move(value);
      take(token, Token::Kind::literal, at + 1);
      return true;
    }
  }
  return fail(at_, "this string has no closing quote",
              "a quote inside a single-quoted string is written twice: 'it''s'");
}

bool Lexer::double_quoted(Token& token) {
  std::size_t at = at_ + 1;
  while (at < text_.size() && text_[at] != '"') at += text_[at] == '\\' ? 2 : 1;
  if (at >= text_.size()) return fail(at_, "this string has no closing quote");
  Value value = Value::parse(text_.substr(at_, at + 1 - at_), nullptr, false);
  if (!value.is_string()) {
    return fail(at_, "this string has an escape or a control character that JSON does not allow",
                "in single quotes a backslash is a character like any other");
  }
  token.value = std::move(value);
  take(token, Token::Kind::literal, at + 1);
  return true;
}

bool Lexer::symbol(Token& token) {
  const std::string_view rest = text_.substr(at_);
  for (const std::string_view known : kSymbols) {
    if (!rest.starts_with(known)) continue;
    take(token, Token::Kind::symbol, at_ + known.size());
    return true;
  }
  if (rest.front() == '=') return fail(at_, "`=` is not an operator", "did you mean `==`?");
  if (rest.front() == '&') return fail(at_, "`&` is not an operator", "did you mean `&&`?");
  if (rest.front() == '|') return fail(at_, "`|` is not an operator", "did you mean `||`?");
  std::size_t end = 1;
  while (end < rest.size() && (static_cast<unsigned char>(rest[end]) & 0xc0) == 0x80) ++end;
  return fail(at_, fmt::format("unexpected character `{}`", escape_control(rest.substr(0, end))));
}

}  // namespace baton::workflow
