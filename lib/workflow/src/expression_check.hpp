// Resolves references and checks types, in one pass over the code with a stack of what is known about each operand.
// expression_check.cpp has the pass and the operators, expression_references.cpp what begins with a context,
// expression_calls.cpp the functions.
#pragma once
#include <deque>

#include "expression_program.hpp"

namespace baton::workflow {

inline constexpr std::string_view kUseNumber = "convert the string with number(…)";
inline constexpr std::string_view kUseString = "convert with string(…), or use format(…)";

// What stands behind a value, where that says more than its type.
enum class Shape : std::uint8_t {
  plain,
  params,
  matrix,
  needs,
  need,
  outputs,
  outputs_list,
  run,
  workflow,
  env,
  secrets
};

struct Known {
  Type type = Type::any;
  Type element = Type::any;  // of a list
  Shape shape = Shape::plain;
  std::uint32_t start = 0;
  const NeedsInfo* need = nullptr;
  std::string_view need_name;
  const std::string* literal = nullptr;  // a string that is written out
};

inline bool known(Type type) { return type != Type::any; }
inline bool number_and_string(Type a, Type b) {
  return (a == Type::number && b == Type::string) || (a == Type::string && b == Type::number);
}

class Checker {
 public:
  Checker(const CheckContext& context, bool secret_allowed, const Messages& messages, Expression::Node& program)
      : context_(context),
        secret_allowed_(secret_allowed),
        messages_(messages),
        program_(program),
        code_(program.code) {}
  // False if there was an error.
  bool check();

 private:
  static bool pushes(Op op) {
    return op != Op::skip_if_false && op != Op::skip_if_true && op != Op::branch_if_false && op != Op::jump;
  }
  Known step(Instruction& instruction);
  void error(std::size_t offset, std::string message, std::string_view hint = {});
  Known pop();
  Known value_of(const Known& operand);
  Known pop_value() { return value_of(pop()); }

  Known list(const Instruction& instruction);
  Known join();
  Known negate(const Instruction& instruction);
  Known add(const Instruction& instruction);
  Known arithmetic(const Instruction& instruction);
  Known equality(const Instruction& instruction);
  Known order(const Instruction& instruction);

  Known context(Instruction& instruction);
  [[nodiscard]] std::string where() const;
  void remember_needs();
  Known unknown_word(const Instruction& instruction);
  void unknown_member(const Instruction& instruction, std::string_view context, std::string message,
                      std::span<const std::string_view> candidates);
  Known member(Instruction& instruction);
  Known param(const Instruction& instruction);
  Known need(Instruction& instruction);
  Known need_member(Instruction& instruction, const Known& base);
  Known output(Instruction& instruction, const Known& base);
  Known run_member(const Instruction& instruction);
  Known secret(Instruction& instruction);
  Known index(Instruction& instruction);
  void absorb_previous() { code_[at_ - 1].op = Op::nothing; }

  Known call(const Instruction& instruction);
  static std::string arity(const Signature& callee);
  void argument(const Signature& callee, const std::vector<Known>& args, std::size_t i);
  static Known result_of(const Signature& callee, const std::vector<Known>& args);

  const CheckContext& context_;
  const bool secret_allowed_;
  const Messages& messages_;
  Expression::Node& program_;
  std::vector<Instruction>& code_;
  std::size_t at_ = 0;
  std::vector<Known> stack_;
  std::deque<NeedsInfo> needs_;  // what operands point to
  bool silent_error_ = false;
};

}  // namespace baton::workflow
