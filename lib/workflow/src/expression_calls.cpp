#include "expression_check.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>

namespace baton::workflow {

Known Checker::call(const Instruction& instruction) {
  const Signature& callee = signature(instruction.function);
  std::vector<Known> args(instruction.arg);
  for (std::size_t i = args.size(); i-- > 0;) args[i] = pop_value();
  if (is_status(callee.function)) {
    program_.status = true;
    if (!context_.allow_status) {
      error(instruction.offset, fmt::format("`{}()` cannot be used {}", callee.name, where()), "it belongs into `if`");
    }
  }
  if (args.size() < callee.min_args || args.size() > callee.max_args) {
    error(instruction.offset, fmt::format("`{}` takes {}, not {}", callee.name, arity(callee), args.size()),
          callee.max_args == 0 ? "" : fmt::format("write {}", callee.usage));
    return result_of(callee, {});
  }
  for (std::size_t i = 0; i < args.size(); ++i) argument(callee, args, i);
  return result_of(callee, args);
}

std::string Checker::arity(const Signature& callee) {
  if (callee.max_args == 0) return "no arguments";
  if (callee.max_args == kAnyNumber)
    return fmt::format("at least {} argument{}", callee.min_args, callee.min_args == 1 ? "" : "s");
  if (callee.min_args != callee.max_args) return fmt::format("{} or {} arguments", callee.min_args, callee.max_args);
  return fmt::format("{} argument{}", callee.max_args, callee.max_args == 1 ? "" : "s");
}

void Checker::argument(const Signature& callee, const std::vector<Known>& args, std::size_t i) {
  const Known& arg = args[i];
  unsigned takes = callee.takes[std::min<std::size_t>(i, 1)];
  const bool extreme = callee.function == Function::min || callee.function == Function::max;
  if (extreme && args.size() > 1) takes = bit(Type::number);
  if (known(arg.type) && (takes & bit(arg.type)) == 0) {
    const std::string position = args.size() == 1 ? "" : fmt::format(" as argument {}", i + 1);
    error(arg.start,
          fmt::format("`{}` takes {}{}, not {}", callee.name, described_set(takes), position, described(arg.type)),
          arg.type == Type::string   ? kUseNumber
          : arg.type == Type::number ? kUseString
                                     : "");
  } else if (extreme && arg.type == Type::list && known(arg.element) && arg.element != Type::number) {
    error(arg.start,
          fmt::format("`{}` takes a list of numbers; this is one of {}s", callee.name, to_string(arg.element)),
          arg.element == Type::string ? "convert all of them with number(list)" : "");
  } else if (callee.function == Function::contains && i == 1) {
    const Type within = args[0].type == Type::list ? args[0].element : args[0].type;
    if (number_and_string(within, arg.type)) {
      error(arg.start, "a number and a string are never equal", within == Type::string ? kUseString : kUseNumber);
    } else if (args[0].type == Type::string && known(arg.type) && arg.type != Type::string) {
      error(arg.start, fmt::format("a string contains strings, not {}", described(arg.type)), kUseString);
    }
  } else if (callee.function == Function::format && i == 0 && arg.literal != nullptr) {
    const Result<std::size_t> used = format_arguments(*arg.literal);
    if (!used) {
      error(arg.start, used.error().message);
    } else if (*used > args.size() - 1) {
      error(arg.start, fmt::format("`{{{}}}` has no argument: {} given", *used - 1, args.size() - 1));
    }
  }
}

Known Checker::result_of(const Signature& callee, const std::vector<Known>& args) {
  Known result{.type = callee.yields};
  if (callee.function == Function::number && !args.empty()) {
    if (args[0].type == Type::list) return {.type = Type::list, .element = Type::number};
    if (known(args[0].type)) result.type = Type::number;
  }
  if (callee.function == Function::default_value && args.size() == 2) {
    if (args[0].type == args[1].type) result.type = args[0].type;
    if (args[0].element == args[1].element) result.element = args[0].element;
    if (args[0].type == Type::null) return {.type = args[1].type, .element = args[1].element};
  }
  return result;
}

}  // namespace baton::workflow
