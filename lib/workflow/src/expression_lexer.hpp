// Splits an expression into tokens.
#pragma once
#include <baton/workflow/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace baton::workflow {

struct Token {
  enum class Kind : std::uint8_t { end, identifier, literal, symbol };
  Kind kind = Kind::end;
  std::uint32_t offset = 0;
  std::string_view text;  // as written
  Value value;            // of a literal (numbers and strings)
  [[nodiscard]] bool is(std::string_view symbol) const { return kind == Kind::symbol && text == symbol; }
};

struct LexicalError {
  std::size_t offset = 0;
  std::string message, hint;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  // False on an error; see error().
  bool next(Token& token);
  [[nodiscard]] const LexicalError& error() const { return error_; }

 private:
  bool fail(std::size_t offset, std::string message, std::string hint = {});
  bool number(Token& token);
  bool single_quoted(Token& token);
  bool double_quoted(Token& token);
  bool symbol(Token& token);
  void take(Token& token, Token::Kind kind, std::size_t end);

  std::string_view text_;
  std::size_t at_ = 0;
  // Behind `needs.` stands a task's id, in which `-` is a character like any other.
  enum class Behind : std::uint8_t { nothing, dot, needs, needs_dot } behind_ = Behind::nothing;
  LexicalError error_;
};

}  // namespace baton::workflow
