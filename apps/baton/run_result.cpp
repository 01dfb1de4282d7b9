#include "run_result.hpp"

#include <algorithm>

#include "log_text.hpp"
#include "progress.hpp"
#include "progress_text.hpp"
#include "style.hpp"

namespace baton::cli {
namespace {

constexpr std::size_t kShownFailures = 5;
constexpr std::uint64_t kShownLogLines = 20;
constexpr std::size_t kShownLogBytes = 16u << 10;  // of these lines: one may be endless
constexpr std::size_t kLookedAtTasks = 100;
constexpr std::size_t kShownOutputTasks = 5;

// The last lines of what failed: the reason is mostly there.
void show_failures(api::Client& client, Output& out, const views::RunView& run) {
  const auto entries = client.logs(run.id, "", true, 0);
  if (!entries) return;
  std::size_t shown = 0;
  for (const api::LogEntry& entry : *entries) {
    if (shown++ == kShownFailures) {
      out.print("… and {} more failed attempts\n", entries->size() - kShownFailures);
      break;
    }
    out.write(Line()
                  .add("── ", Style::dim)
                  .add(entry.task, Style::bold)
                  .add(fmt::format(" {} (attempt {}), the end of its log:", entry.state, entry.attempt))
                  .render(0, out.colour()) +
              '\n');
    PrefixedLines lines("   │ ", shown_on(out));
    api::LogQuery query;
    query.run = run.id;
    query.task = entry.task;
    query.attempt = entry.attempt;
    query.tail = kShownLogLines;
    std::string tail;
    std::size_t left_out = 0;
    const auto end = client.log(query, [&](std::string_view bytes) {
      tail += bytes;
      const std::size_t beyond = tail.size() - std::min(tail.size(), kShownLogBytes);
      left_out += beyond;
      tail.erase(0, beyond);
      return true;
    });
    if (left_out > 0) out.print("   │ (… {} bytes left out)\n", left_out);
    out.write(lines.feed(tail));
    out.write(lines.finish());
    if (!end) {
      out.write(
          Line().add("   │ ").add(fmt::format("(not all of it: {})", end.error().error.message)).render(0, false) +
          '\n');
    } else if (tail.empty()) {
      out.write("   │ (nothing)\n");
    }
  }
}

// A task that is a workflow has no log: what failed is told by its own run.
void show_failed_children(api::Client& client, Output& out, const views::RunView& run) {
  api::TaskQuery query;
  query.run = run.id;
  query.state = "failed";
  query.limit = kLookedAtTasks;
  const auto page = client.tasks(query);
  if (!page) return;
  std::size_t shown = 0;
  for (const views::TaskView& task : page->items) {
    if (task.child_run.empty() || shown++ >= kShownFailures) continue;
    out.write(
        Line()
            .add("── ", Style::dim)
            .add(task.name, Style::bold)
            .add(fmt::format(" failed, a run of its own: baton logs {0} --failed   baton describe {0}", task.child_run))
            .render(0, out.colour()) +
        '\n');
  }
}

// What the run was for: the outputs of the tasks that nothing else needs.
void show_outputs(api::Client& client, Output& out, const views::RunView& run) {
  std::size_t shown = 0;
  for (const views::TaskSummary& task : run.summary) {
    const bool is_needed = std::any_of(run.summary.begin(), run.summary.end(), [&](const views::TaskSummary& other) {
      return std::find(other.needs.begin(), other.needs.end(), task.task) != other.needs.end();
    });
    if (is_needed || task.is_finally || task.is_matrix) continue;
    if (shown++ == kShownOutputTasks) break;
    api::TaskQuery query;
    query.run = run.id;
    query.task = task.task;
    query.limit = 1;
    const auto page = client.tasks(query);
    if (!page || page->items.empty()) continue;
    for (const auto& [name, value] : page->items.front().outputs) {
      out.write(Line().add(fmt::format("  {}.{} = ", task.task, name), Style::dim).add(value).render(0, out.colour()) +
                '\n');
    }
  }
}

}  // namespace

void show_result(api::Client& client, Output& out, const views::RunView& run) {
  const bool succeeded = run.state == "succeeded";
  if (!succeeded) {
    show_failures(client, out, run);
    show_failed_children(client, out, run);
  }
  out.write(summary_line(run, out.colour()) + '\n');
  // A run of thousands of tasks has no handful of final ones.
  if (succeeded && run.summary.size() <= RunProgress::kCrowdedMatrix) show_outputs(client, out, run);
}

}  // namespace baton::cli
