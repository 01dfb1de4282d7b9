#include "expression_check.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>

namespace baton::workflow {
namespace {

Known literal(const Instruction& instruction) {
  Known result{.type = type_of(instruction.literal)};
  if (instruction.literal.is_string()) result.literal = &instruction.literal.get_ref<const std::string&>();
  return result;
}

}  // namespace

bool Checker::check() {
  const std::size_t before = messages_.out.size();
  for (at_ = 0; at_ < code_.size() && !messages_.full(); ++at_) {
    Known result = step(code_[at_]);
    if (pushes(code_[at_].op)) {
      result.start = code_[at_].start;
      stack_.push_back(result);
    }
  }
  if (at_ < code_.size()) return false;
  if (stack_.size() == 1) program_.type = value_of(stack_.back()).type;
  return messages_.out.size() == before && !silent_error_;
}

void Checker::error(std::size_t offset, std::string message, std::string_view hint) {
  silent_error_ = true;  // the list of diagnostics may be full
  messages_.error(offset, std::move(message), std::string(hint));
}

Known Checker::pop() {
  const Known top = stack_.back();
  stack_.pop_back();
  return top;
}

Known Checker::value_of(const Known& operand) {
  if (operand.shape == Shape::env) {
    error(operand.start, "`env` alone is not a value", "name one variable: env.NAME");
    return Known{.start = operand.start};
  }
  if (operand.shape == Shape::secrets) {
    error(operand.start, "`secrets` alone is not a value", "name one secret: secrets.NAME");
    return Known{.start = operand.start};
  }
  return operand;
}

Known Checker::step(Instruction& instruction) {
  switch (instruction.op) {
    case Op::literal:
      return literal(instruction);
    case Op::context:
      return context(instruction);
    case Op::member:
      return member(instruction);
    case Op::index:
      return index(instruction);
    case Op::list:
      return list(instruction);
    case Op::call:
      return call(instruction);
    case Op::negate:
      return negate(instruction);
    case Op::logical_not:
      return pop_value(), Known{.type = Type::boolean};
    case Op::add:
      return add(instruction);
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::remainder:
      return arithmetic(instruction);
    case Op::equal:
    case Op::not_equal:
      return equality(instruction);
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return order(instruction);
    case Op::branch_if_false:
      return pop_value();
    case Op::join:
      return join();
    default:
      return {};
  }
}

Known Checker::list(const Instruction& instruction) {
  std::optional<Type> element;
  for (std::uint32_t i = 0; i < instruction.arg; ++i) {
    const Type type = pop_value().type;
    element = !element || *element == type ? type : Type::any;
  }
  return {.type = Type::list, .element = element.value_or(Type::any)};
}

Known Checker::join() {
  const Known right = pop_value();
  const Known left = pop_value();
  return {.type = left.type == right.type ? left.type : Type::any,
          .element = left.element == right.element ? left.element : Type::any};
}

Known Checker::negate(const Instruction& instruction) {
  const Known operand = pop_value();
  if (known(operand.type) && operand.type != Type::number) {
    error(instruction.offset, fmt::format("`-` takes a number, not {}", described(operand.type)),
          operand.type == Type::string ? kUseNumber : "");
  }
  return {.type = Type::number};
}

Known Checker::add(const Instruction& instruction) {
  const Type right = pop_value().type;
  const Type left = pop_value().type;
  const auto addable = [](Type type) { return !known(type) || type == Type::number || type == Type::string; };
  if (!addable(left) || !addable(right) || number_and_string(left, right)) {
    error(instruction.offset, fmt::format("`+` cannot add {} and {}", described(left), described(right)),
          number_and_string(left, right) ? "convert one of them with number(…) or string(…)" : kUseString);
    return {};
  }
  return {.type = known(left) ? left : right};
}

Known Checker::arithmetic(const Instruction& instruction) {
  const Known right = pop_value();
  const Known left = pop_value();
  for (const Type type : {left.type, right.type}) {
    if (!known(type) || type == Type::number) continue;
    error(instruction.offset, fmt::format("`{}` takes numbers, not {}", symbol(instruction.op), described(type)),
          type == Type::string ? kUseNumber : "");
    break;
  }
  return {.type = Type::number};
}

Known Checker::equality(const Instruction& instruction) {
  const Type right = pop_value().type;
  const Type left = pop_value().type;
  if (number_and_string(left, right)) {
    error(instruction.offset, "a number and a string are never equal", kUseNumber);
  }
  return {.type = Type::boolean};
}

Known Checker::order(const Instruction& instruction) {
  const Type right = pop_value().type;
  const Type left = pop_value().type;
  const auto ordered = [](Type type) { return !known(type) || type == Type::number || type == Type::string; };
  if (number_and_string(left, right)) {
    error(instruction.offset,
          fmt::format("`{}` cannot compare {} with {}", symbol(instruction.op), described(left), described(right)),
          kUseNumber);
  } else if (!ordered(left) || !ordered(right)) {
    error(instruction.offset, fmt::format("`{}` compares numbers or strings, not {}", symbol(instruction.op),
                                          described(ordered(left) ? right : left)));
  }
  return {.type = Type::boolean};
}

bool check_expression(const CheckContext& context, bool secret_allowed, const Messages& messages,
                      Expression::Node& program) {
  return Checker(context, secret_allowed, messages, program).check();
}

}  // namespace baton::workflow
