// What an expression compiles to: straight-line code for a small stack machine. Jumps only go forward, so evaluation
// ends after at most one step per instruction, and neither the checker nor the evaluator recurses.
#pragma once
#include <baton/workflow/expression.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::workflow {

// Around an expression in a text.
inline constexpr std::string_view kExpressionOpen = "${{";
inline constexpr std::string_view kExpressionClose = "}}";

enum class Context : std::uint8_t { params, matrix, needs, run, workflow, env, secrets };
inline constexpr std::array<std::string_view, 7> kContextNames{"params",   "matrix", "needs",  "run",
                                                               "workflow", "env",    "secrets"};

enum class Function : std::uint8_t {
  success,
  failure,
  always,
  cancelled,
  contains,
  starts_with,
  ends_with,
  format,
  join,
  to_json,
  from_json,
  number,
  string,
  length,
  min,
  max,
  default_value,
};

// The parser emits what the source says; the checker turns references such as needs.t.outputs into one instruction that
// carries the task's index, leaving `nothing` in the places that became superfluous.
enum class Op : std::uint8_t {
  nothing,
  literal,  // push `literal`
  context,  // push the context `arg`
  need,     // push {outputs, result} of `task`
  outputs,  // push the outputs of `task`
  result,   // push the result of `task`
  env,      // push the variable `name`
  secret,   // never evaluated
  member,   // pop an object, push its member `name`
  pluck,    // pop a list of objects, push the list of their members `name`
  index,    // pop an index and what it indexes, push the element
  list,     // pop `arg` values, push the list of them
  call,     // pop `arg` values, push the result of `function`
  negate,
  logical_not,
  add,
  subtract,
  multiply,
  divide,
  remainder,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  skip_if_false,    // &&: keep a false left side and go to `arg`, pop a true one
  skip_if_true,     // ||: the other way round
  branch_if_false,  // ?: pop the condition; if it is false, go to `arg`
  jump,             // go to `arg`
  join,             // where two branches meet; for the checker, which sees both
};
std::string_view symbol(Op op);  // "+", "<=", …; "" for what is not an operator

struct Instruction {
  Op op = Op::nothing;
  Function function = Function::success;
  std::uint32_t offset = 0;  // byte in the expression's text that a message points to
  std::uint32_t start = 0;   // where the operand that this instruction completes begins
  std::uint32_t arg = 0;
  TaskIndex task;
  std::string name;
  Value literal;
};

// Where a text stands in the user's file. Its characters stand side by side from `pos` on, and anew from each mark on.
// What is known of no mark's line (behind a line break) has the place before it.
struct Origin {
  struct Mark {
    std::uint32_t offset;  // in the text
    SourcePos pos;
  };
  SourcePos pos;
  bool exact = true;        // false: all up to the first mark stands "at" pos
  std::vector<Mark> marks;  // ascending
  [[nodiscard]] SourcePos at(std::string_view text, std::size_t offset) const;
  // Of text.substr(offset).
  [[nodiscard]] Origin from(std::string_view text, std::size_t offset) const;
};

struct Expression::Node {
  std::string text;  // trimmed
  Origin origin;     // of `text`
  Type type = Type::any;
  bool status = false, needs = false, matrix = false;
  std::string secret;  // empty: none
  std::vector<Instruction> code;
  std::shared_ptr<const NeedsList> all_needs;  // for the bare `needs`
};

struct Signature {
  Function function;
  std::string_view name;
  std::size_t min_args, max_args;
  std::array<unsigned, 2> takes;  // sets of types of the first arguments; the last one holds for all that follow
  Type yields;
  std::string_view usage;
};
inline constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();
constexpr unsigned bit(Type type) { return 1u << static_cast<unsigned>(type); }
inline constexpr unsigned kAnyType = ~0u;
std::span<const Signature> signatures();
const Signature& signature(Function function);
inline bool is_status(Function function) { return function <= Function::cancelled; }

// A name as messages show it: escaped, and cut when it is too long to be one.
std::string shown(std::string_view name);
// "a string", "a list", for messages.
std::string_view described(Type type);
// "a string or a list".
std::string described_set(unsigned types);
Type type_of(const Value& value);
// About how much memory `value` takes: its strings and keys, and some bytes for each value in it. Counting stops soon
// after `limit`.
std::size_t weight(const Value& value, std::size_t limit);
// The replacement fields of format(): the highest argument used plus one, or a message about what is wrong in `text`.
Result<std::size_t> format_arguments(std::string_view text);
// As `==` says it.
bool equal(const Value& left, const Value& right);
// Applies `op` to numbers and strings.
Result<Value> apply(Op op, const Value& left, const Value& right);
// Calls a function whose result depends on nothing but its arguments, which are of the types that it takes.
Result<Value> call(Function function, std::span<const Value* const> args);

// `secret_allowed`: the expression is the whole of its field, so that it may be a secret.
std::optional<Expression> compile_expression(std::string_view text, Origin origin, bool secret_allowed,
                                             const CheckContext& context, std::vector<Diagnostic>& diagnostics);
// The passes of compile_expression. Each appends its diagnostics and says whether there were none.
struct Messages {
  std::string_view text;
  Origin origin;
  std::vector<Diagnostic>& out;
  void error(std::size_t offset, std::string message, std::string hint = {}) const;
  // Nothing more will be reported: a reason to stop looking.
  [[nodiscard]] bool full() const;
};
bool parse_expression(std::string_view text, const Messages& messages, std::vector<Instruction>& code);
bool check_expression(const CheckContext& context, bool secret_allowed, const Messages& messages,
                      Expression::Node& program);

}  // namespace baton::workflow
