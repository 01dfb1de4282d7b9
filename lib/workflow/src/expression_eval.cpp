#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <map>

#include <algorithm>
#include <utility>

#include "expression_program.hpp"

namespace baton::workflow {
namespace {

// A value of its own, or one that lives in a context fetched for this evaluation: following a reference copies nothing.
class Operand {
 public:
  Operand(Value value) : own_(std::move(value)) {}  // NOLINT(google-explicit-constructor): an operand is a value
  static Operand borrow(const Value& value) {
    Operand operand{Value()};
    operand.borrowed_ = &value;
    return operand;
  }
  [[nodiscard]] const Value& get() const { return borrowed_ != nullptr ? *borrowed_ : own_; }
  [[nodiscard]] Value take() {
    if (borrowed_ != nullptr) return *borrowed_;
    return std::move(own_);
  }
  // The element that `find` picks from this value: it lives as long as this one did.
  Operand element(auto find) {
    if (borrowed_ != nullptr) return borrow(*find(*borrowed_));
    Value picked = std::move(*const_cast<Value*>(find(own_)));
    return Operand(std::move(picked));
  }

 private:
  Value own_;
  const Value* borrowed_ = nullptr;
};

class Evaluator {
 public:
  Evaluator(const Expression::Node& program, const EvalContext& context) : program_(program), context_(context) {}

  Result<Value> run() {
    const std::vector<Instruction>& code = program_.code;
    while (at_ < code.size()) {
      const Instruction& instruction = code[at_++];
      if (++steps_ > limits::kExpressionSteps) return located(instruction, too_many_steps().error());
      if (Result<void> done = step(instruction); !done) return located(instruction, done.error());
    }
    if (Result<void> done = charge(stack_.back().get()); !done) return located(code.back(), done.error());
    return stack_.back().take();
  }

 private:
  std::unexpected<Error> located(const Instruction& instruction, const Error& error) const {
    const SourcePos pos = program_.origin.at(program_.text, instruction.offset);
    std::string message = fmt::format("{}, in `${{{{ {} }}}}`", error.message, shown(program_.text));
    if (pos.line != 0) message += fmt::format(" at {}:{}", pos.line, pos.column);
    return std::unexpected(Error{error.code, std::move(message)});
  }
  static std::unexpected<Error> too_many_steps() {
    return fail(ErrorCode::limit, "the evaluation takes more than {} steps", limits::kExpressionSteps);
  }
  // Counts the work of looking at or copying a value: a step for each KiB of it.
  Result<void> charge(const Value& value) { return charge(weight(value, limits::kExpressionValueBytes)); }
  Result<void> charge(std::size_t bytes) {
    if (bytes > limits::kExpressionValueBytes) {
      return fail(ErrorCode::limit, "a value is larger than {} bytes", limits::kExpressionValueBytes);
    }
    steps_ += bytes / 1024;
    if (steps_ > limits::kExpressionSteps) return too_many_steps();
    return {};
  }
  Operand pop() {
    Operand top = std::move(stack_.back());
    stack_.pop_back();
    return top;
  }
  Result<void> push(Operand operand) {
    stack_.push_back(std::move(operand));
    return {};
  }
  // A value that did not exist before.
  Result<void> push_new(Result<Value> value) {
    if (!value) return std::unexpected(value.error());
    if (Result<void> done = charge(*value); !done) return done;
    return push(*std::move(value));
  }

  Result<void> step(const Instruction& instruction) {
    switch (instruction.op) {
      case Op::nothing:
      case Op::join:
        return {};
      case Op::literal:
        return push(Operand::borrow(instruction.literal));
      case Op::context:
        return context(static_cast<Context>(instruction.arg));
      case Op::need:
        return push_new(need(instruction.task));
      case Op::outputs:
        return outputs(instruction.task);
      case Op::result:
        return push(Value(context_.result(instruction.task)));
      case Op::env:
        return env(instruction.name);
      case Op::secret:
        return fail(ErrorCode::invalid_argument, "only the task itself gets the value of a secret");
      case Op::member:
        return member(instruction.name);
      case Op::pluck:
        return pluck(instruction.name);
      case Op::index:
        return index();
      case Op::list:
        return list(instruction.arg);
      case Op::call:
        return function(instruction);
      case Op::negate:
        return negate();
      case Op::logical_not:
        return push(Value(!truthy(pop().get())));
      case Op::skip_if_false:
      case Op::skip_if_true:
        if (truthy(stack_.back().get()) == (instruction.op == Op::skip_if_true)) {
          at_ = instruction.arg;
        } else {
          stack_.pop_back();
        }
        return {};
      case Op::branch_if_false:
        if (!truthy(pop().get())) at_ = instruction.arg;
        return {};
      case Op::jump:
        at_ = instruction.arg;
        return {};
      default:
        return binary(instruction.op);
    }
  }

  Result<void> context(Context which) {
    std::optional<Value>& kept = contexts_[static_cast<std::size_t>(which)];
    if (!kept) {
      switch (which) {
        case Context::params:
          kept = context_.params();
          break;
        case Context::matrix:
          kept = context_.matrix();
          break;
        case Context::run:
          kept = context_.run();
          break;
        case Context::workflow:
          kept = Value{{"name", context_.workflow_name()}};
          break;
        default:
          kept = Value::object();
      }
      if (which == Context::needs && program_.all_needs) {
        for (const auto& [name, task] : *program_.all_needs) {
          Value one = need(task);
          if (Result<void> done = charge(one); !done) return done;
          (*kept)[name] = std::move(one);
        }
      }
    }
    return push(Operand::borrow(*kept));
  }

  Value need(TaskIndex task) const {
    return Value{{"outputs", context_.outputs(task)}, {"result", context_.result(task)}};
  }

  Result<void> outputs(TaskIndex task) {
    const auto [found, absent] = outputs_.try_emplace(task);
    if (absent) found->second = context_.outputs(task);
    return push(Operand::borrow(found->second));
  }

  Result<void> env(const std::string& name) {
    const std::optional<std::string> value = context_.env(name);
    if (!value) return fail(ErrorCode::not_found, "the variable `{}` is not bound", shown(name));
    return push_new(Value(*value));
  }

  // A member that is not there is null, as is a member of null.
  Result<void> member(const std::string& name) {
    Operand base = pop();
    if (base.get().is_null()) return push(Value());
    if (!base.get().is_object()) {
      return fail(ErrorCode::invalid_argument, "{} has no member `{}`", described(type_of(base.get())), shown(name));
    }
    if (!base.get().contains(name)) return push(Value());
    return push(base.element([&](const Value& object) { return &*object.find(name); }));
  }

  Result<void> pluck(const std::string& name) {
    const Operand base = pop();
    if (!base.get().is_array()) {
      return fail(ErrorCode::invalid_argument, "the outputs of a matrix task are a list, not {}",
                  described(type_of(base.get())));
    }
    if (Result<void> done = charge(base.get().size()); !done) return done;
    Value out = Value::array();
    std::size_t bytes = 0;
    for (const Value& each : base.get()) {
      const auto found = each.find(name);  // end() for what is no object
      out.push_back(found == each.end() ? Value() : *found);
      bytes += weight(out.back(), limits::kExpressionValueBytes);
      if (bytes > limits::kExpressionValueBytes) return charge(bytes);
    }
    return push_new(std::move(out));
  }

  Result<void> index() {
    const Operand position = pop();
    Operand base = pop();
    if (base.get().is_object() && position.get().is_string()) {
      stack_.push_back(std::move(base));
      return member(position.get().get<std::string>());
    }
    if (base.get().is_null()) return push(Value());
    if (!base.get().is_array() || !position.get().is_number()) {
      return fail(ErrorCode::invalid_argument, "{} cannot be indexed with {}", described(type_of(base.get())),
                  described(type_of(position.get())));
    }
    const auto wanted = position.get().get<double>();
    const std::size_t size = base.get().size();
    if (!(wanted >= 0 && wanted < static_cast<double>(size)) ||
        wanted != static_cast<double>(static_cast<std::size_t>(wanted))) {
      return fail(ErrorCode::invalid_argument, "there is no element {} in a list of {}", to_text(position.get()), size);
    }
    return push(base.element([&](const Value& list) { return &list[static_cast<std::size_t>(wanted)]; }));
  }

  Result<void> list(std::size_t count) {
    const std::size_t first = stack_.size() - count;
    std::size_t bytes = 0;
    for (std::size_t i = first; i < stack_.size(); ++i) {
      bytes += weight(stack_[i].get(), limits::kExpressionValueBytes);
      if (bytes > limits::kExpressionValueBytes) break;
    }
    if (Result<void> done = charge(bytes); !done) return done;
    Value out = Value::array();
    for (std::size_t i = first; i < stack_.size(); ++i) out.push_back(stack_[i].take());
    stack_.erase(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
    return push(std::move(out));
  }

  Result<void> function(const Instruction& instruction) {
    const Signature& callee = signature(instruction.function);
    if (is_status(callee.function)) return push(Value(status(callee.function)));
    std::vector<Operand> operands;
    operands.reserve(instruction.arg);
    for (std::size_t i = 0; i < instruction.arg; ++i) operands.push_back(pop());
    std::vector<const Value*> args;
    for (auto operand = operands.rbegin(); operand != operands.rend(); ++operand) {
      const Type type = type_of(operand->get());
      const unsigned takes = callee.takes[std::min<std::size_t>(args.size(), 1)];
      if ((takes & bit(type)) == 0) {
        return fail(ErrorCode::invalid_argument, "`{}` takes {}, not {}", callee.name, described_set(takes),
                    described(type));
      }
      if (Result<void> done = charge(operand->get()); !done) return done;
      args.push_back(&operand->get());
    }
    return push_new(call(callee.function, args));
  }

  [[nodiscard]] bool status(Function function) const {
    switch (function) {
      case Function::success:
        return context_.success();
      case Function::failure:
        return context_.failure();
      case Function::cancelled:
        return context_.cancelled();
      default:
        return true;
    }
  }

  Result<void> negate() {
    const Operand operand = pop();
    return push_new(apply(Op::subtract, Value(0), operand.get()));
  }

  Result<void> binary(Op op) {
    const Operand right = pop();
    const Operand left = pop();
    for (const Operand* side : {&left, &right}) {
      if (Result<void> done = charge(side->get()); !done) return done;
    }
    return push_new(apply(op, left.get(), right.get()));
  }

  const Expression::Node& program_;
  const EvalContext& context_;
  std::size_t at_ = 0;
  std::size_t steps_ = 0;
  std::vector<Operand> stack_;
  std::array<std::optional<Value>, kContextNames.size()> contexts_;
  std::map<TaskIndex, Value> outputs_;
};

}  // namespace

Result<Value> Expression::evaluate(const EvalContext& context) const {
  if (!root_) return fail(ErrorCode::internal, "an expression that was not compiled cannot be evaluated");
  try {
    return Evaluator(*root_, context).run();
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "the evaluation of `{}` failed: {}", shown(root_->text), error.what());
  }
}

}  // namespace baton::workflow
