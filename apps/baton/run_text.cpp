#include "run_text.hpp"

#include <fmt/format.h>
#include <baton/base/quantity.hpp>

#include <algorithm>
#include <optional>

#include "progress.hpp"
#include "progress_text.hpp"
#include "style.hpp"

namespace baton::cli {
namespace {

Table::Cell state_cell(const std::string& state) { return {state, look_of(state).style}; }

std::string elapsed_cell(const std::optional<TimePoint>& from, const std::optional<TimePoint>& to, TimePoint at) {
  return from ? format_elapsed(to.value_or(at) - *from) : "";
}

std::string labels_cell(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [key, value] : labels) text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  return text;
}

std::string used_cell(std::int64_t used, std::int64_t all, std::string (*format)(std::int64_t)) {
  return fmt::format("{}/{}", format(used), format(all));
}

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  return fmt::format("{}", fmt::join(texts, separator));
}

}  // namespace

TimePoint now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

std::string run_table(const std::vector<views::RunView>& runs, bool wide, TimePoint at, bool colour) {
  std::vector<std::string> header{"ID", "WORKFLOW", "#", "STATE", "STARTED", "ELAPSED"};
  if (wide) header.insert(header.end(), {"CREATED", "PRIORITY", "PARENT", "LABELS"});
  header.emplace_back("REASON");
  Table table(header);
  for (const views::RunView& run : runs) {
    std::vector<Table::Cell> row{run.id,
                                 run.workflow,
                                 std::to_string(run.number),
                                 state_cell(run.state),
                                 run.started_at ? local_time(*run.started_at) : "",
                                 elapsed_cell(run.started_at, run.ended_at, at)};
    if (wide) {
      row.insert(row.end(),
                 {local_time(run.created_at), std::to_string(run.priority), run.parent_run, labels_cell(run.labels)});
    }
    row.emplace_back(run.reason);
    table.add(std::move(row));
  }
  return table.render(colour);
}

std::string run_header(const views::RunView& run, TimePoint at, bool colour) {
  std::string text;
  const auto line = [&](std::string_view name, std::string_view value, Style style = Style::plain) {
    if (!value.empty())
      text += Line().add(pad_to(std::string(name) + ":", 10), Style::dim).add(value, style).render(0, colour) + '\n';
  };
  line("run", run.id, Style::bold);
  line("workflow", fmt::format("{} #{}", run.workflow, run.number));
  line("state", run.state + (run.reason.empty() || run.reason == run.state ? "" : " (" + run.reason + ")"),
       look_of(run.state).style);
  line("created", local_time(run.created_at));
  if (run.started_at) line("started", local_time(*run.started_at));
  if (run.ended_at) line("ended", local_time(*run.ended_at));
  line("elapsed", elapsed_cell(run.started_at, run.ended_at, at));
  if (!run.params.empty()) line("params", run.params.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  line("labels", labels_cell(run.labels));
  line("parent", run.parent_run);
  if (run.priority != 0) line("priority", std::to_string(run.priority));
  return text;
}

std::string task_table(const std::vector<views::TaskView>& tasks, bool wide, TimePoint at, bool colour) {
  // A task that is a workflow tells nothing more by itself.
  const bool children = wide || std::any_of(tasks.begin(), tasks.end(),
                                            [](const views::TaskView& task) { return !task.child_run.empty(); });
  std::vector<std::string> header{"TASK", "KIND", "STATE", "TRIES", "STARTED", "ELAPSED"};
  if (wide) header.emplace_back("WORKER");
  if (children) header.emplace_back("CHILD");
  if (wide) header.emplace_back("OUTPUTS");
  header.emplace_back("REASON");
  Table table(header);
  for (const views::TaskView& task : tasks) {
    const views::AttemptView* last = task.attempts.empty() ? nullptr : &task.attempts.back();
    const std::optional<TimePoint> from = last != nullptr ? last->started_at : task.ready_at;
    const std::optional<TimePoint> to = last != nullptr ? last->ended_at : task.ended_at;
    std::vector<Table::Cell> row{task.name,
                                 task.kind,
                                 state_cell(task.state),
                                 task.attempts.empty() ? "" : std::to_string(task.attempts.size()),
                                 from ? local_time(*from) : "",
                                 elapsed_cell(from, to, at)};
    if (wide) row.emplace_back(last != nullptr ? last->worker : "");
    if (children) row.emplace_back(task.child_run);
    if (wide) row.emplace_back(labels_cell(task.outputs));
    std::string reason = task.reason;
    // The reason of a task that has ended has its last attempt's message at its end.
    if (last != nullptr && last->state != "succeeded" && !reason.ends_with(last->message))
      reason += (reason.empty() ? "" : ": ") + last->message;
    if (task.state == "awaiting_approval") reason = task.approval_message;
    row.emplace_back(reason);
    table.add(std::move(row));
  }
  return table.render(colour);
}

std::string summary_table(const std::vector<views::TaskSummary>& summary, bool colour) {
  Table table({"TASK", "KIND", "INSTANCES", "ENDED", "STATES"});
  for (const views::TaskSummary& task : summary) {
    const StateCounts counts = counts_of(task.states);
    std::uint64_t total = 0;
    for (const std::uint64_t count : counts) total += count;
    table.add({task.task, task.kind, std::to_string(total), std::to_string(ended_of(counts)), describe_counts(counts)});
  }
  return table.render(colour);
}

std::string worker_table(const std::vector<views::WorkerView>& workers, bool wide, bool colour) {
  std::vector<std::string> header{"NAME", "STATE", "TASKS", "CPU", "MEMORY", "GPU"};
  if (wide) header.insert(header.end(), {"HOST", "VERSION"});
  header.emplace_back("LABELS");
  Table table(header);
  for (const views::WorkerView& worker : workers) {
    std::vector<Table::Cell> row{worker.name,
                                 state_cell(worker.state),
                                 std::to_string(worker.attempts),
                                 used_cell(worker.cpu_milli_used, worker.cpu_milli, format_milli),
                                 used_cell(worker.memory_bytes_used, worker.memory_bytes, format_bytes),
                                 used_cell(worker.gpu_milli_used, worker.gpu_milli, format_milli)};
    if (wide) row.insert(row.end(), {worker.host, worker.version});
    row.emplace_back(joined(worker.labels, ","));
    table.add(std::move(row));
  }
  return table.render(colour);
}

}  // namespace baton::cli
