// A context for tests of expressions: a task with the needs `prep` (outputs rows, path), `train` (a matrix, output
// accuracy) and `build-app`.
#pragma once
#include <baton/workflow/expression.hpp>

#include <map>
#include <string>

namespace baton::workflow::test {

struct FixedContext : EvalContext {
  Value params_ = {{"n", 3}, {"rate", 0.5}, {"name", "digits"}, {"on", true}, {"list", {1, 2, 3}}, {"absent", nullptr}};
  Value matrix_ = {{"C", 0.1}, {"seed", 2}, {"learning-rate", "low"}};
  std::map<std::uint32_t, Value> outputs_ = {
      {0, {{"rows", "1797"}, {"path", "work/x"}}},
      {1, Value::array({{{"accuracy", "0.9"}}, {{"accuracy", "0.95"}}, Value::object()})},
      {2, Value::object()}};
  std::map<std::string, std::string, std::less<>> env_ = {{"HOME", "/root"}};
  bool success_ = true, failure_ = false, cancelled_ = false;

  Value params() const override { return params_; }
  Value matrix() const override { return matrix_; }
  Value outputs(TaskIndex task) const override { return outputs_.at(task.value()); }
  std::string result(TaskIndex task) const override { return task.value() == 2 ? "skipped" : "succeeded"; }
  Value run() const override {
    return {{"id", "r-1"}, {"number", 7}, {"status", "running"}, {"scheduled_for", nullptr}};
  }
  std::string workflow_name() const override { return "digits"; }
  std::optional<std::string> env(std::string_view name) const override {
    const auto found = env_.find(name);
    return found == env_.end() ? std::nullopt : std::optional(found->second);
  }
  bool success() const override { return success_; }
  bool failure() const override { return failure_; }
  bool cancelled() const override { return cancelled_; }
};

inline CheckContext check_context() {
  CheckContext context;
  context.allow_status = context.allow_env = context.allow_secrets = true;
  context.param_names = {"n", "rate", "name", "on", "list", "absent", "any"};
  context.param = [](std::string_view name) -> std::optional<Type> {
    static const std::map<std::string, Type, std::less<>> kTypes = {
        {"n", Type::number},  {"rate", Type::number}, {"name", Type::string}, {"on", Type::boolean},
        {"list", Type::list}, {"absent", Type::any},  {"any", Type::any}};
    const auto found = kTypes.find(name);
    return found == kTypes.end() ? std::nullopt : std::optional(found->second);
  };
  context.all_needs = std::make_shared<const NeedsList>(
      NeedsList{{"prep", TaskIndex(0)}, {"train", TaskIndex(1)}, {"build-app", TaskIndex(2)}, {"v1.2", TaskIndex(2)}});
  context.needs = [](std::string_view name) -> std::optional<NeedsInfo> {
    const auto outputs = [](Names names) { return std::make_shared<const Names>(std::move(names)); };
    if (name == "prep") return NeedsInfo{TaskIndex(0), outputs({"path", "rows"}), false};
    if (name == "train") return NeedsInfo{TaskIndex(1), outputs({"accuracy"}), true};
    if (name == "build-app") return NeedsInfo{TaskIndex(2), outputs({"image"}), false};
    if (name == "v1.2") return NeedsInfo{TaskIndex(2), outputs({"image"}), false};
    return std::nullopt;
  };
  context.matrix_axes = std::vector<std::string>{"C", "seed", "learning-rate"};
  context.env_names = {"HOME"};
  return context;
}

}  // namespace baton::workflow::test
