// A live run as expressions see it.
#pragma once
#include <baton/workflow/expression.hpp>

#include "run.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace baton::engine {

// What the fields of one instance of one task may read. Refers to the run: not to be kept.
class RunContext final : public workflow::EvalContext {
 public:
  RunContext(const Run& run, TaskIndex task, std::optional<std::uint32_t> instance)
      : run_(run), task_(task), instance_(instance) {}
  // Makes an entry of `env` visible to the entries behind it.
  void bind(std::string name, std::string value) { env_[std::move(name)] = std::move(value); }

  Value params() const override { return run_.state.params; }
  Value matrix() const override;
  Value outputs(TaskIndex task) const override;
  std::string result(TaskIndex task) const override;
  Value run() const override;
  std::string workflow_name() const override { return run_.spec->name; }
  std::optional<std::string> env(std::string_view name) const override;
  bool success() const override;
  bool failure() const override;
  bool cancelled() const override { return run_.state.cancel_requested; }

 private:
  const Run& run_;
  TaskIndex task_;
  std::optional<std::uint32_t> instance_;
  std::map<std::string, std::string, std::less<>> env_;
};

// What the top-level `outputs` of an ended run may read.
Result<Outputs> workflow_outputs(const Run& run);

}  // namespace baton::engine
