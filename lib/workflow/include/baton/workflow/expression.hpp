// `${{ … }}`: parsed and type-checked once, evaluated as a pure function of an EvalContext.
#pragma once
#include <baton/base/diagnostic.hpp>
#include <baton/base/ids.hpp>
#include <baton/base/result.hpp>
#include <baton/workflow/value.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::workflow {

// Where an expression gets its facts from. Implemented by the engine (a live run), by `plan` (params only) and by
// tests.
class EvalContext {
 public:
  virtual ~EvalContext() = default;
  virtual Value params() const = 0;                      // object
  virtual Value matrix() const = 0;                      // object; {} without a matrix
  virtual Value outputs(TaskIndex task) const = 0;       // object of strings; for a matrix task a list of such objects
  virtual std::string result(TaskIndex task) const = 0;  // succeeded, failed, skipped, upstream_failed, cancelled
  virtual Value run() const = 0;                         // {id, number, status, scheduled_for}
  virtual std::string workflow_name() const = 0;
  virtual std::optional<std::string> env(std::string_view name) const = 0;  // entries bound before this one
  // The status functions, over the direct needs of the task in whose field the expression stands.
  virtual bool success() const = 0;
  virtual bool failure() const = 0;
  virtual bool cancelled() const = 0;
};

enum class Type { any, null, boolean, number, string, list, object };
std::string_view to_string(Type type);

// What the checker knows while a workflow file is validated.
using Names = std::vector<std::string>;
struct NeedsInfo {
  TaskIndex index;
  std::shared_ptr<const Names> outputs;  // sorted; shared, because many expressions may refer to one task
  bool is_matrix = false;
};
using NeedsList = std::vector<std::pair<std::string, TaskIndex>>;
struct CheckContext {
  // Contexts that may stand in the field at hand; any other context is an error that names the field.
  std::string field;  // such as "env"; empty: messages say "here"
  bool allow_needs = true, allow_matrix = true, allow_status = false, allow_env = false, allow_secrets = false,
       allow_run = true;
  std::function<std::optional<Type>(std::string_view)> param;  // nullopt: unknown
  std::vector<std::string> param_names;                        // for hints
  std::function<std::optional<NeedsInfo>(std::string_view)> needs;
  std::shared_ptr<const NeedsList> all_needs;  // for the bare `needs`, and for hints
  // "did you mean `x`?"; whoever checks many expressions bounds the work over all of them. Null: without a bound.
  std::function<std::string(std::string_view, std::span<const std::string_view>)> did_you_mean;
  std::optional<std::vector<std::string>> matrix_axes;  // nullopt: not known before the run
  std::vector<std::string> env_names;
};

// What evaluations have in common whose contexts differ in nothing but `matrix`, `run` and the status functions. The
// expressions have to outlive it.
class Memo {
 public:
  Memo();
  ~Memo();
  Memo(const Memo&) = delete;
  Memo& operator=(const Memo&) = delete;

  struct Data;

 private:
  friend class Expression;
  std::unique_ptr<Data> data_;
};

struct Origin;  // of a text in the user's file

// One compiled expression; immutable and cheap to copy. Evaluation has no loops, no I/O and limits on steps and sizes.
class Expression {
 public:
  // `text` is what stands between `${{` and `}}`; positions of diagnostics are relative to `pos`, the place of its
  // first character (exact on the text's first line; what stands behind a line break is reported at `pos`). Appends
  // every diagnostic; nullopt if there was an error.
  static std::optional<Expression> compile(std::string_view text, SourcePos pos, const CheckContext& context,
                                           std::vector<Diagnostic>& diagnostics);
  // The same, with each position where it is in the file.
  static std::optional<Expression> compile_at(std::string_view text, const Origin& origin, const CheckContext& context,
                                              std::vector<Diagnostic>& diagnostics);
  [[nodiscard]] Result<Value> evaluate(const EvalContext& context) const;
  // The same; what an earlier evaluation found is not computed again.
  [[nodiscard]] Result<Value> evaluate(const EvalContext& context, Memo& memo) const;
  // `any` if not known before evaluation. Where it is a string, the value may be null: an output that was not written.
  [[nodiscard]] Type type() const;
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] bool uses_status_function() const;  // success() failure() always() cancelled()
  [[nodiscard]] bool uses_needs() const;            // depends on upstream tasks
  [[nodiscard]] bool uses_matrix() const;
  // Exactly `secrets.NAME`: the name. Secrets cannot be part of a larger expression, so that no value of theirs is ever
  // computed with, stored or printed.
  [[nodiscard]] std::optional<std::string> secret() const;

  struct Node;
  Expression() = default;

 private:
  [[nodiscard]] Result<Value> evaluate(const EvalContext& context, Memo::Data& shared, bool keeps) const;
  friend std::optional<Expression> compile_expression(std::string_view text, Origin origin, bool secret_allowed,
                                                      const CheckContext& context,
                                                      std::vector<Diagnostic>& diagnostics);
  std::shared_ptr<const Node> root_;
};

// Truth as in GitHub Actions: false, 0, "", null are false; everything else is true.
bool truthy(const Value& value);
// How a value stands in text: strings as they are, integers without a fraction, null as "", lists and objects as JSON.
std::string to_text(const Value& value);

// A string with any number of `${{ … }}` in it; `$${{` stands for the characters `${{`. Exactly one expression and
// nothing else keeps its value's type in evaluate(); everything else is joined as text.
class Template {
 public:
  static std::optional<Template> compile(std::string_view text, SourcePos pos, const CheckContext& context,
                                         std::vector<Diagnostic>& diagnostics);
  static std::optional<Template> compile_at(std::string_view text, const Origin& origin, const CheckContext& context,
                                            std::vector<Diagnostic>& diagnostics);
  static Template literal(std::string text);
  Template() = default;

  [[nodiscard]] bool is_literal() const { return expressions_.empty(); }
  // As written; for a literal the text itself, with `$${{` replaced.
  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] Result<Value> evaluate(const EvalContext& context) const;
  [[nodiscard]] Result<std::string> evaluate_text(const EvalContext& context) const;
  // What it has at least, whatever its expressions yield.
  [[nodiscard]] std::size_t least_bytes() const;
  [[nodiscard]] bool uses_needs() const;
  [[nodiscard]] bool uses_matrix() const;
  [[nodiscard]] std::optional<std::string> secret() const;  // the whole string is ${{ secrets.NAME }}

 private:
  std::string source_;
  std::vector<std::string> literals_;  // expressions_.size() + 1 pieces around the expressions; empty if literal
  std::vector<Expression> expressions_;
};

}  // namespace baton::workflow
