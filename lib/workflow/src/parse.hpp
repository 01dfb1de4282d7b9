// How one workflow file becomes a WorkflowSpec: what its section readers share, and the readers themselves.
#pragma once
#include <baton/workflow/spec.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "problems.hpp"
#include "yaml_tree.hpp"

namespace baton::workflow {

// A task's `retry` as written; what is absent comes from `defaults`.
struct RetryDraft {
  std::optional<std::uint32_t> max_retries;
  std::optional<Duration> delay, max_delay;
  std::optional<Backoff> backoff;
  std::optional<double> jitter;
  std::optional<std::vector<FailurePattern>> on;
};

struct Defaults {
  std::optional<Duration> timeout, grace;
  RetryDraft retry;
  std::vector<std::pair<std::string, Template>> env;
  Resources resources;
  std::vector<std::string> shell{"sh", "-e"};
  Boxed<Template> working_dir;
  RunsOn runs_on;
  std::map<std::string, std::int64_t> pools;
};

// What is known of a task before any task is read, so that others can refer to it.
struct TaskHead {
  std::string_view id;
  Node key, value;
  bool is_finally = false;
};

// A file that a task uses.
struct UsedFile {
  std::string file;                              // its key in the bundle
  std::shared_ptr<const WorkflowSpec> workflow;  // null if it has errors of its own, or is missing (which is reported)
};
using UseResolver = std::function<UsedFile(std::string_view path, Problems& problems, Node at)>;

// What expressions may refer to in a task.
struct KnownNeed {
  NeedsInfo info;
  bool broken = false;  // it has errors of its own, so that its outputs are not known
};

struct FileContext {
  Problems& problems;
  const UseResolver& use;
  WorkflowSpec& spec;
  Defaults defaults;
  std::vector<TaskHead> heads;                                // in the order of spec.tasks
  std::unordered_map<std::string_view, std::uint32_t> by_id;  // → heads
  std::unordered_map<std::string_view, Type> param_types;     // keys live in spec.params
  CheckContext check;                                         // with the params; the rest is set for each field
  std::size_t expressions = 0;                                // compiled so far
  std::unordered_map<std::uint32_t, KnownNeed> known_needs;   // of tasks that were referred to
  std::unordered_map<const WorkflowSpec*, std::shared_ptr<const Names>> used_outputs;
  // Set when an expression refers to something that has errors of its own, which it cannot be blamed for.
  bool refers_to_broken = false;
};

// What an expression may refer to in a field.
struct Scope {
  std::string_view field;  // for messages
  bool needs = true, matrix = true, status = false, env = false, secrets = false;
};

// Compiles the text of a scalar. A text without `${{` costs no more than a copy.
std::optional<Template> compile_template(FileContext& file, Node node, const Scope& scope);
// A field that is an expression as a whole; the `${{ }}` around it may be left out if `bare` says so.
std::optional<Expression> compile_expression_field(FileContext& file, Node node, const Scope& scope, bool bare);
// Whether the node is a scalar that begins with `${{`.
bool looks_like_expression(Node node);

// The readers of sections. They report to file.problems and leave out what is wrong.
void read_params(FileContext& file, Node node);
void read_schedule(FileContext& file, Node node);
void read_defaults(FileContext& file, Node node);
using EnvEntries = std::vector<std::pair<std::string, Template>>;
void read_env(FileContext& file, Node node, const Scope& scope, EnvEntries& env);
void read_tasks(FileContext& file);  // all of file.heads

void read_matrix(FileContext& file, Node node, TaskSpec& task);
RetryDraft read_retry(Problems& problems, Node node);
// `own` over `base`.
RetryPolicy merge(const RetryDraft& own, const RetryDraft& base);
void read_resources(Problems& problems, Node node, Resources& resources);
RunsOn read_runs_on(Problems& problems, Node node);
std::map<std::string, std::int64_t> read_pool(Problems& problems, Node node);
std::vector<std::string> read_shell(Problems& problems, Node node);
std::optional<int> read_priority(Problems& problems, Node node);

// Links the tasks' needs into spec.dag. `places[i]` is where edges[i] was written.
void build_graph(FileContext& file, std::vector<graph::Dag::Edge> edges, std::vector<std::uint32_t> places);

// The one value of a parameter; its type converted where text was given. Errors do not name the parameter.
Result<Value> bind_value(const ParamSpec& param, const Value& value);
// Whether its values are text; for all others text has to be converted.
bool takes_text(ParamType type);
// A value in the file itself, which must have the declared type as it stands. `key` is for messages.
std::optional<Value> read_param_value(Problems& problems, Node node, const ParamSpec& param, std::string_view key);
// For messages: the parameters' names, for "did you mean".
std::vector<std::string_view> param_names(const std::vector<ParamSpec>& params);

// Reads one file. The name is for messages and the default of `name`.
ParseResult parse_file(std::string_view file_name, std::string_view text, const UseResolver& use);
std::string_view without_bom(std::string_view text);

}  // namespace baton::workflow
