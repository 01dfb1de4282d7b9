#include <unistd.h>
#include <baton/base/text.hpp>

#include <algorithm>
#include <map>

#include "follow.hpp"
#include "json_output.hpp"
#include "log_streams.hpp"
#include "style.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

struct LogsOptions {
  std::string run, task;
  bool follow = false;
  bool failed = false;
  std::optional<std::uint64_t> tail;
  std::uint64_t attempt = 0;
};

constexpr std::size_t kLookedAtTasks = 100;
constexpr std::size_t kMostLogs = 1'000;  // that one answer has (docs/api.md)
constexpr std::size_t kShownChildren = 5;

// TASK names one log, so that no prefix is needed: an instance of a matrix, or a task without one.
bool names_one(const views::RunView& run, const std::string& task) {
  if (task.find('[') != std::string::npos) return true;
  return std::any_of(run.summary.begin(), run.summary.end(),
                     [&](const views::TaskSummary& summary) { return summary.task == task && !summary.is_matrix; });
}

bool has_ended(const views::RunView& run, const std::string& task) {
  if (task.empty() || is_final_run_state(run.state)) return is_final_run_state(run.state);
  const std::string id = task.substr(0, task.find('['));
  for (const views::TaskSummary& summary : run.summary) {
    if (summary.task != id) continue;
    return std::all_of(summary.states.begin(), summary.states.end(),
                       [](const auto& state) { return state.second == 0 || is_final_task_state(state.first); });
  }
  return false;
}

class LogListener : public RunListener {
 public:
  LogListener(Session& session, const LogsOptions& options, views::RunView run,
              const std::vector<api::LogEntry>& entries, LogStreams& streams)
      : options_(options), run_(std::move(run)), streams_(streams), client_(session.socket()) {
    for (const api::LogEntry& entry : entries) first_[entry.task] = entry.attempt;
    satisfied_ = has_ended(run_, options_.task);
  }

  void on_events(std::span<const views::EventView> events) override {
    bool something_ended = false;
    for (const views::EventView& event : events) {
      const bool is_ours = event.type == "task" && event.run == run_.id &&
                           (options_.task.empty() || event.name == options_.task || event.task == options_.task);
      if (!is_ours) continue;
      something_ended = something_ended || is_final_task_state(event.state);
      const bool has_log =
          event.attempt != 0 && event.state != "ready" && event.state != "waiting" && event.state != "starting";
      // The events of the past tell of earlier attempts, too.
      const auto first = first_.find(event.name);
      const bool is_earlier = first != first_.end() && event.attempt < first->second;
      const bool wanted = options_.attempt == 0 ? !is_earlier : event.attempt == options_.attempt;
      if (has_log && wanted && (!options_.failed || event.state == "failed" || event.state == "backoff")) {
        streams_.add(event.name, event.attempt, false);
      }
    }
    if (!something_ended || options_.task.empty()) return;
    satisfied_ = event_ends_task(events);
  }

  // A log that broke off is tried again, whether or not anything happens in the run.
  [[nodiscard]] std::chrono::milliseconds tick() const override { return std::chrono::seconds(1); }
  void on_tick() override { streams_.resume(); }
  [[nodiscard]] bool is_satisfied() override { return satisfied_; }

 private:
  // An instance ends with its own event; of a whole matrix only the run knows.
  bool event_ends_task(std::span<const views::EventView> events) {
    if (options_.task.find('[') != std::string::npos) {
      return std::any_of(events.begin(), events.end(), [&](const views::EventView& event) {
        return event.run == run_.id && event.name == options_.task && is_final_task_state(event.state);
      });
    }
    const auto run = client_.run(run_.id);
    return run && has_ended(*run, options_.task);
  }

  const LogsOptions& options_;
  views::RunView run_;
  LogStreams& streams_;
  api::Client client_;
  std::map<std::string, std::uint32_t> first_;  // task → the attempt that was the last one when this began
  bool satisfied_ = false;
};

// At once, without waiting for the threads: one may be in a write to a pipe that nobody reads.
[[noreturn]] void leave_interrupted(Session& session) {
  session.err.flush();
  ::_exit(kExitInterrupted);
}

Outcome follow_logs(Session& session, const LogsOptions& options, const views::RunView& run,
                    const std::vector<api::LogEntry>& entries) {
  Interrupts interrupts;  // before the threads, so that they inherit the blocked signal
  LogStreams streams(session.socket(), run.id, !names_one(run, options.task), options.tail, session.out);
  for (const api::LogEntry& entry : entries) streams.add(entry.task, entry.attempt, true);
  LogListener listener(session, options, run, entries, streams);
  if (!listener.is_satisfied()) {
    FollowQuery query;
    query.run = run.id;
    const auto end = follow(session, query, listener, interrupts);
    if (!end) return std::unexpected(end.error());
    if (*end == FollowEnd::interrupted) leave_interrupted(session);
  }
  const std::optional<std::size_t> incomplete = streams.finish(interrupts);
  if (streams.has_gap()) session.notice("the daemon was away: with --tail, what was written meanwhile may be missing");
  if (!incomplete) leave_interrupted(session);
  if (*incomplete != 0) {
    return refuse(ErrorCode::unavailable, "the connection broke before {} could be read to the end",
                  counted(*incomplete, "log"));
  }
  return kExitSucceeded;
}

Outcome show_logs(Session& session, api::Client& client, const LogsOptions& options, const views::RunView& run,
                  const std::vector<api::LogEntry>& entries) {
  const bool headed = entries.size() > 1;
  for (const api::LogEntry& entry : entries) {
    if (headed) {
      session.out.write(Line()
                            .add("==> ", Style::dim)
                            .add(entry.task, Style::bold)
                            .add(fmt::format(" (attempt {}, {})", entry.attempt, entry.state))
                            .add(" <==", Style::dim)
                            .render(0, session.out.colour()) +
                        '\n');
    }
    LogPrinter printer("", shown_on(session.out));
    api::LogQuery query;
    query.run = run.id;
    query.task = entry.task;
    query.attempt = entry.attempt;
    query.tail = options.tail;
    char last = '\n';
    const auto end = client.log(query, [&](std::string_view bytes) {
      if (!bytes.empty()) last = bytes.back();
      session.out.write(printer.feed(bytes));
      return session.out.ok();
    });
    if (!end) return std::unexpected(end.error());
    session.out.write(printer.finish());
    if (headed && last != '\n') session.out.write("\n");
    if (!session.out.ok()) break;
  }
  return kExitSucceeded;
}

// Why there is no log to show.
void explain_nothing(Session& session, api::Client& client, const LogsOptions& options, const views::RunView& run) {
  api::TaskQuery query;
  query.run = run.id;
  query.task = options.task;
  if (options.failed) query.state = "failed";
  query.limit = kLookedAtTasks;
  std::size_t children = 0;
  if (const auto page = client.tasks(query)) {
    for (const views::TaskView& task : page->items) {
      if (task.child_run.empty() || children++ >= kShownChildren) continue;
      session.notice(fmt::format("{} is a run of its own: baton logs {}", task.name, task.child_run));
    }
  }
  if (children != 0) return;
  if (options.failed) return session.notice("no attempt has failed");
  session.notice(has_ended(run, options.task) ? "nothing was started, so there is no log"
                                              : "nothing has started yet, so there is no log (-f waits for one)");
}

Outcome logs(Session& session, const LogsOptions& options) {
  auto client = session.connect();
  if (!client) return std::unexpected(client.error());
  const auto run = client->run(options.run);
  if (!run) return std::unexpected(run.error());
  const auto entries = client->logs(run->id, options.task, options.failed, static_cast<std::uint32_t>(options.attempt));
  if (!entries) return std::unexpected(entries.error());
  if (session.json() || session.options.format == Format::name) {
    nlohmann::json json = nlohmann::json::array();
    for (const api::LogEntry& entry : *entries) {
      if (!session.json()) session.out.print("{}\n", escape_control(entry.task));
      json.push_back(
          {{"task", entry.task}, {"attempt", entry.attempt}, {"state", entry.state}, {"ended", entry.ended}});
    }
    if (session.json()) write_json(session.out, json);
    return kExitSucceeded;
  }
  if (entries->size() == kMostLogs) {
    session.notice(fmt::format("these are the first {} logs; name a task to see others", kMostLogs));
  }
  if (options.follow) return follow_logs(session, options, *run, *entries);
  if (entries->empty() && options.attempt != 0 && !options.failed) {
    return refuse(ErrorCode::not_found, "{} has no attempt {}", options.task.empty() ? "the run" : options.task,
                  options.attempt);
  }
  if (entries->empty()) explain_nothing(session, *client, options, *run);
  return show_logs(session, *client, options, *run, *entries);
}

}  // namespace

Action declare_logs(Arguments& arguments) {
  auto options = std::make_shared<LogsOptions>();
  arguments.operand("RUN", options->run, Operand::run, "The run");
  arguments.operand("TASK", options->task, Operand::task, "A task, or an instance of its matrix such as 'train[C=1]'",
                    false);
  arguments.flag("-f,--follow", options->follow, "Go on with what is written, until the task or the run has ended");
  arguments.number("--tail", options->tail, "The last N lines of each log");
  arguments.flag("--failed", options->failed, "Attempts that failed only");
  arguments.number("--attempt", options->attempt, "This attempt instead of the last one",
                   std::numeric_limits<std::uint32_t>::max());
  return [options](Session& session) { return logs(session, *options); };
}

}  // namespace baton::cli
