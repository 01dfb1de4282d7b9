#include "json_output.hpp"
#include "progress.hpp"
#include "run_text.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

std::uint64_t instances_of(const views::RunView& run) {
  std::uint64_t total = 0;
  for (const views::TaskSummary& task : run.summary) {
    for (const auto& [state, count] : task.states) total += count;
  }
  return total;
}

api::Answer<std::vector<views::TaskView>> all_tasks(api::Client& client, const std::string& run) {
  std::vector<views::TaskView> tasks;
  api::TaskQuery query;
  query.run = run;
  const auto fetched = for_each_task(client, query, [&](const views::TaskView& task) {
    tasks.push_back(task);
    return true;
  });
  if (!fetched) return std::unexpected(fetched.error());
  return tasks;
}

}  // namespace

Action declare_describe(Arguments& arguments) {
  auto reference = std::make_shared<std::string>();
  arguments.operand("RUN", *reference, Operand::run, "The run");
  return [reference](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    const auto run = client->run(*reference);
    if (!run) return std::unexpected(run.error());
    if (session.json()) {
      const auto written = write_run_json(session.out, *client, *run);
      if (!written) return std::unexpected(written.error());
      return kExitSucceeded;
    }
    if (session.names_only()) {
      session.out.print("{}\n", run->id);
      return kExitSucceeded;
    }
    const bool wide = session.options.format == Format::wide;
    session.out.write(run_header(*run, now(), session.out.colour()) + '\n');
    // Thousands of instances help nobody; -o wide lists them all the same.
    if (instances_of(*run) > RunProgress::kCrowdedMatrix && !wide) {
      session.out.write(summary_table(run->summary, session.out.colour()));
      session.notice("-o wide lists each instance");
      return kExitSucceeded;
    }
    const auto tasks = all_tasks(*client, run->id);
    if (!tasks) return std::unexpected(tasks.error());
    session.out.write(task_table(*tasks, wide, now(), session.out.colour()));
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
