#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <map>

#include <algorithm>
#include <utility>

#include "expression_memo.hpp"
#include "expression_program.hpp"

namespace baton::workflow {
namespace {

// A value of its own, or one that lives in a context fetched for this evaluation: following a reference copies nothing.
// It lasts if the next evaluation that shares a memo would find the same one there.
class Operand {
 public:
  Operand(Value value) : own_(std::move(value)) {}  // NOLINT(google-explicit-constructor): an operand is a value
  static Operand borrow(const Value& value, bool lasts) {
    Operand operand{Value()};
    operand.borrowed_ = &value;
    operand.lasts_ = lasts;
    return operand;
  }
  [[nodiscard]] const Value& get() const { return borrowed_ != nullptr ? *borrowed_ : own_; }
  [[nodiscard]] bool lasts() const { return lasts_; }
  [[nodiscard]] Value take() {
    if (borrowed_ != nullptr) return *borrowed_;
    return std::move(own_);
  }
  // The element that `find` picks from this value: it lives as long as this one did, and lasts if the choice does.
  Operand element(auto find, bool choice_lasts) {
    if (borrowed_ != nullptr) return borrow(*find(*borrowed_), lasts_ && choice_lasts);
    Value picked = std::move(*const_cast<Value*>(find(own_)));
    return Operand(std::move(picked));
  }

 private:
  Value own_;
  const Value* borrowed_ = nullptr;
  bool lasts_ = false;
};

class Evaluator {
 public:
  // `keeps`: `shared` is for further evaluations, too.
  Evaluator(const Expression::Node& program, const EvalContext& context, Memo::Data& shared, bool keeps)
      : program_(program), context_(context), shared_(shared), keeps_(keeps) {}

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
  Result<void> charge(const Operand& operand) {
    if (!keeps_ || !operand.lasts()) return charge(operand.get());
    const auto [found, absent] = shared_.weights.try_emplace(&operand.get());
    if (absent) found->second = weight(operand.get(), limits::kExpressionValueBytes);
    return charge(found->second);
  }
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

  // As push_new(compute()), but from the memo if that was computed before from the same values.
  Result<void> push_made(const Instruction& instruction, const std::vector<const Value*>& args, bool args_last,
                         auto compute) {
    if (!keeps_ || !args_last) return push_new(compute());
    const Memo::Data::Key key{&instruction, args};
    auto found = shared_.made.find(key);
    if (found == shared_.made.end()) {
      const std::size_t before = steps_;
      Result<Value> value = compute();
      Result<void> done;
      if (value) done = charge(*value);
      if (steps_ > limits::kExpressionSteps) return too_many_steps();
      if (!done) value = std::unexpected(done.error());
      found = shared_.made.emplace(key, Memo::Data::Made{std::move(value), steps_ - before}).first;
    } else {
      steps_ += found->second.steps;
      if (steps_ > limits::kExpressionSteps) return too_many_steps();
    }
    const Result<Value>& made = found->second.value;
    if (!made) return std::unexpected(made.error());
    return push(Operand::borrow(*made, true));
  }

  Result<void> step(const Instruction& instruction) {
    switch (instruction.op) {
      case Op::nothing:
      case Op::join:
        return {};
      case Op::literal:
        return push(Operand::borrow(instruction.literal, true));
      case Op::context:
        return context(static_cast<Context>(instruction.arg));
      case Op::need:
        return push_made(instruction, {}, true, [&] { return Result<Value>(need(instruction.task)); });
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
        return pluck(instruction);
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
    const bool lasts = which == Context::params || which == Context::workflow;
    std::optional<Value>& kept = (lasts ? shared_.contexts : contexts_)[static_cast<std::size_t>(which)];
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
    return push(Operand::borrow(*kept, lasts));
  }

  Value need(TaskIndex task) const {
    return Value{{"outputs", context_.outputs(task)}, {"result", context_.result(task)}};
  }

  Result<void> outputs(TaskIndex task) {
    const auto [found, absent] = shared_.outputs.try_emplace(task);
    if (absent) found->second = context_.outputs(task);
    return push(Operand::borrow(found->second, true));
  }

  Result<void> env(const std::string& name) {
    const std::optional<std::string> value = context_.env(name);
    if (!value) return fail(ErrorCode::not_found, "the variable `{}` is not bound", shown(name));
    return push_new(Value(*value));
  }

  // A member that is not there is null, as is a member of null.
  Result<void> member(const std::string& name, bool name_lasts = true) {
    Operand base = pop();
    if (base.get().is_null()) return push(Value());
    if (!base.get().is_object()) {
      return fail(ErrorCode::invalid_argument, "{} has no member `{}`", described(type_of(base.get())), shown(name));
    }
    if (!base.get().contains(name)) return push(Value());
    return push(base.element([&](const Value& object) { return &*object.find(name); }, name_lasts));
  }

  Result<void> pluck(const Instruction& instruction) {
    const Operand base = pop();
    return push_made(instruction, {&base.get()}, base.lasts(), [&] { return plucked(base.get(), instruction.name); });
  }
  Result<Value> plucked(const Value& base, const std::string& name) {
    if (!base.is_array()) {
      return fail(ErrorCode::invalid_argument, "the outputs of a matrix task are a list, not {}",
                  described(type_of(base)));
    }
    if (Result<void> done = charge(base.size()); !done) return std::unexpected(done.error());
    Value out = Value::array();
    std::size_t bytes = 0;
    for (const Value& each : base) {
      const auto found = each.find(name);  // end() for what is no object
      out.push_back(found == each.end() ? Value() : *found);
      bytes += weight(out.back(), limits::kExpressionValueBytes);
      if (bytes > limits::kExpressionValueBytes) return std::unexpected(charge(bytes).error());
    }
    return out;
  }

  Result<void> index() {
    const Operand position = pop();
    Operand base = pop();
    if (base.get().is_object() && position.get().is_string()) {
      stack_.push_back(std::move(base));
      return member(position.get().get<std::string>(), position.lasts());
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
    return push(
        base.element([&](const Value& list) { return &list[static_cast<std::size_t>(wanted)]; }, position.lasts()));
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
    std::reverse(operands.begin(), operands.end());
    args.reserve(operands.size());
    for (const Operand& operand : operands) args.push_back(&operand.get());
    const bool last = std::all_of(operands.begin(), operands.end(), [](const Operand& o) { return o.lasts(); });
    return push_made(instruction, args, last, [&] { return called(callee, operands, args); });
  }
  Result<Value> called(const Signature& callee, const std::vector<Operand>& operands,
                       const std::vector<const Value*>& args) {
    for (std::size_t i = 0; i < args.size(); ++i) {
      const Type type = type_of(*args[i]);
      const unsigned takes = callee.takes[std::min<std::size_t>(i, 1)];
      if ((takes & bit(type)) == 0) {
        return fail(ErrorCode::invalid_argument, "`{}` takes {}, not {}", callee.name, described_set(takes),
                    described(type));
      }
      if (Result<void> done = charge(operands[i]); !done) return std::unexpected(done.error());
    }
    return call(callee.function, args);
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
      if (Result<void> done = charge(*side); !done) return done;
    }
    return push_new(apply(op, left.get(), right.get()));
  }

  const Expression::Node& program_;
  const EvalContext& context_;
  std::size_t at_ = 0;
  std::size_t steps_ = 0;
  std::vector<Operand> stack_;
  std::array<std::optional<Value>, kContextNames.size()> contexts_;  // that do not last
  Memo::Data& shared_;
  bool keeps_;
};

}  // namespace

Memo::Memo() : data_(std::make_unique<Data>()) {}
Memo::~Memo() = default;

Result<Value> Expression::evaluate(const EvalContext& context) const {
  Memo::Data own;
  return evaluate(context, own, false);
}

Result<Value> Expression::evaluate(const EvalContext& context, Memo& memo) const {
  return evaluate(context, *memo.data_, true);
}

Result<Value> Expression::evaluate(const EvalContext& context, Memo::Data& shared, bool keeps) const {
  if (!root_) return fail(ErrorCode::internal, "an expression that was not compiled cannot be evaluated");
  try {
    return Evaluator(*root_, context, shared, keeps).run();
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "the evaluation of `{}` failed: {}", shown(root_->text), error.what());
  }
}

}  // namespace baton::workflow
