#include <fmt/format.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include "expression_lexer.hpp"
#include "expression_program.hpp"

namespace baton::workflow {
namespace {

struct Binary {
  std::string_view symbol;
  int precedence;
  Op op;
};
constexpr std::array<Binary, 13> kBinaries{{{"||", 1, Op::skip_if_true},
                                            {"&&", 2, Op::skip_if_false},
                                            {"==", 3, Op::equal},
                                            {"!=", 3, Op::not_equal},
                                            {"<", 4, Op::less},
                                            {"<=", 4, Op::less_equal},
                                            {">", 4, Op::greater},
                                            {">=", 4, Op::greater_equal},
                                            {"+", 5, Op::add},
                                            {"-", 5, Op::subtract},
                                            {"*", 6, Op::multiply},
                                            {"/", 6, Op::divide},
                                            {"%", 6, Op::remainder}}};

const Binary* binary_of(const Token& token) {
  for (const Binary& binary : kBinaries) {
    if (token.is(binary.symbol)) return &binary;
  }
  return nullptr;
}

// Recursive descent; the first error ends it, because what follows one is mostly noise.
class Parser {
 public:
  Parser(std::string_view text, const Messages& messages, std::vector<Instruction>& code)
      : lexer_(text), messages_(messages), code_(code) {}

  bool parse() {
    if (!advance()) return false;
    if (token_.kind == Token::Kind::end) return error("the expression is empty");
    return choice() && (token_.kind == Token::Kind::end || unexpected());
  }

 private:
  // Counts one level of nesting for as long as it lives.
  class Level {
   public:
    explicit Level(std::size_t& depth) : depth_(depth) { ++depth_; }
    ~Level() { --depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    [[nodiscard]] bool too_deep() const { return depth_ > limits::kExpressionDepth; }

   private:
    std::size_t& depth_;
  };

  bool error(std::string message, std::string hint = {}) {
    return error_at(token_.offset, std::move(message), std::move(hint));
  }
  bool error_at(std::size_t offset, std::string message, std::string hint = {}) {
    messages_.error(offset, std::move(message), std::move(hint));
    return false;
  }
  bool too_deep() {
    return error(fmt::format("the expression is nested deeper than {} levels", limits::kExpressionDepth));
  }
  bool unexpected() {
    if (token_.kind == Token::Kind::end) return error("the expression ends here, but something is missing");
    std::string hint;
    if (token_.text == "and") hint = "did you mean `&&`?";
    if (token_.text == "or") hint = "did you mean `||`?";
    if (token_.is("}")) hint = "an expression ends with `}}`";
    return error(fmt::format("unexpected `{}`", shown(token_.text)), std::move(hint));
  }
  bool advance() {
    if (lexer_.next(token_)) return true;
    const LexicalError& wrong = lexer_.error();
    return error_at(wrong.offset, wrong.message, wrong.hint);
  }
  bool expect(std::string_view symbol, std::string_view where) {
    if (token_.is(symbol)) return advance();
    if (token_.kind == Token::Kind::end) return error(fmt::format("missing `{}` {}", symbol, where));
    return error(fmt::format("expected `{}` {}, found `{}`", symbol, where, shown(token_.text)));
  }

  Instruction& emit(Op op, std::size_t offset, std::size_t start) {
    Instruction& instruction = code_.emplace_back();
    instruction.op = op;
    instruction.offset = static_cast<std::uint32_t>(offset);
    instruction.start = static_cast<std::uint32_t>(start);
    return instruction;
  }
  [[nodiscard]] std::uint32_t here() const { return static_cast<std::uint32_t>(code_.size()); }

  bool choice() {
    const Level level(depth_);
    if (level.too_deep()) return too_deep();
    const std::size_t start = token_.offset;
    if (!binary(1)) return false;
    if (!token_.is("?")) return true;
    const std::size_t offset = token_.offset;
    const std::uint32_t branch = here();
    emit(Op::branch_if_false, offset, start);
    if (!advance() || !choice() || !expect(":", "between the two sides of `?:`")) return false;
    const std::uint32_t jump = here();
    emit(Op::jump, offset, start);
    code_[branch].arg = here();
    if (!choice()) return false;
    emit(Op::join, offset, start);
    code_[jump].arg = here();
    return true;
  }

  bool binary(int lowest) {
    const std::size_t start = token_.offset;
    if (!unary()) return false;
    for (const Binary* found = binary_of(token_); found != nullptr && found->precedence >= lowest;
         found = binary_of(token_)) {
      const std::size_t offset = token_.offset;
      const bool lazy = found->op == Op::skip_if_false || found->op == Op::skip_if_true;
      const std::uint32_t skip = here();
      if (lazy) emit(found->op, offset, start);
      if (!advance() || !binary(found->precedence + 1)) return false;
      emit(lazy ? Op::join : found->op, offset, start);
      if (lazy) code_[skip].arg = here();
    }
    return true;
  }

  bool unary() {
    if (!token_.is("!") && !token_.is("-")) return postfix();
    const Level level(depth_);
    if (level.too_deep()) return too_deep();
    const Op op = token_.is("!") ? Op::logical_not : Op::negate;
    const std::size_t offset = token_.offset;
    if (!advance() || !unary()) return false;
    emit(op, offset, offset);
    return true;
  }

  bool postfix() {
    const std::size_t start = token_.offset;
    if (!primary()) return false;
    for (;;) {
      if (token_.is(".")) {
        if (!advance()) return false;
        if (token_.kind != Token::Kind::identifier) {
          if (token_.is("*"))
            return error("`.*` is not known here", "`.name` of a matrix task's outputs yields a list");
          return error("a name must follow the `.`");
        }
        emit(Op::member, token_.offset, start).name = token_.text;
        if (!advance()) return false;
      } else if (token_.is("[")) {
        if (!advance()) return false;
        const std::size_t offset = token_.offset;
        const std::uint32_t first = here();
        if (!choice() || !expect("]", "behind the index")) return false;
        if (code_.size() == first + 1 && code_.back().op == Op::literal && code_.back().literal.is_string()) {
          std::string name = std::move(code_.back().literal.get_ref<std::string&>());
          code_.pop_back();
          emit(Op::member, offset, start).name = std::move(name);
        } else {
          emit(Op::index, offset, start);
        }
      } else {
        return true;
      }
    }
  }

  bool primary() {
    const Token token = token_;
    if (token.kind == Token::Kind::end || (token.kind == Token::Kind::symbol && !token.is("(") && !token.is("["))) {
      return unexpected();
    }
    if (!advance()) return false;
    if (token.is("(")) return choice() && expect(")", "to close the `(`");
    if (token.is("[")) {
      std::uint32_t count = 0;
      if (!arguments("]", "to close the `[`", count)) return false;
      emit(Op::list, token.offset, token.offset).arg = count;
      return true;
    }
    if (token.kind == Token::Kind::literal) {
      emit(Op::literal, token.offset, token.offset).literal = token.value;
      return true;
    }
    return word(token);
  }

  // Elements up to `close`.
  bool arguments(std::string_view close, std::string_view where, std::uint32_t& count) {
    for (count = 0; !token_.is(close); ++count) {
      if (count != 0 && !expect(",", fmt::format("or `{}`", close))) return false;
      if (!choice()) return false;
      if (token_.kind == Token::Kind::end) return expect(close, where);
    }
    return advance();
  }

  // An identifier that is not behind a dot.
  bool word(const Token& token) {
    if (token_.is("(")) return call(token);
    if (token.text == "true" || token.text == "false" || token.text == "null") {
      Value& literal = emit(Op::literal, token.offset, token.offset).literal;
      if (token.text != "null") literal = token.text == "true";
      return true;
    }
    for (std::size_t i = 0; i < kContextNames.size(); ++i) {
      if (kContextNames[i] != token.text) continue;
      emit(Op::context, token.offset, token.offset).arg = static_cast<std::uint32_t>(i);
      return true;
    }
    // The checker knows the parameters and can give the better hint.
    emit(Op::context, token.offset, token.offset).name = token.text;
    return true;
  }

  bool call(const Token& name) {
    const Signature* found = nullptr;
    for (const Signature& known : signatures()) {
      if (known.name == name.text) found = &known;
    }
    if (found == nullptr) return unknown_function(name);
    std::uint32_t count = 0;
    if (!advance() || !arguments(")", "to close the call", count)) return false;
    Instruction& instruction = emit(Op::call, name.offset, name.offset);
    instruction.function = found->function;
    instruction.arg = count;
    return true;
  }

  bool unknown_function(const Token& name) {
    std::vector<std::string_view> names;
    std::optional<std::string_view> meant;
    for (const Signature& known : signatures()) {
      names.push_back(known.name);
      if (to_lower(known.name) == to_lower(name.text)) meant = known.name;
    }
    if (!meant) meant = nearest(name.text, names);
    return error_at(name.offset, fmt::format("unknown function `{}`", shown(name.text)),
                    meant ? fmt::format("did you mean `{}`?", *meant) : std::string{});
  }

  Lexer lexer_;
  const Messages& messages_;
  std::vector<Instruction>& code_;
  Token token_;
  std::size_t depth_ = 0;
};

}  // namespace

bool parse_expression(std::string_view text, const Messages& messages, std::vector<Instruction>& code) {
  return Parser(text, messages, code).parse();
}

}  // namespace baton::workflow
