#include "json_output.hpp"
#include "plan.hpp"
#include "submission.hpp"

namespace baton::cli {

Action declare_plan(Arguments& arguments) {
  struct PlanOptions {
    std::string file;
    ParamOptions params;
  };
  auto options = std::make_shared<PlanOptions>();
  arguments.operand("FILE", options->file, Operand::file, "The workflow file; `-`: standard input");
  options->params.declare(arguments);
  return [options](Session& session) -> Outcome {
    auto params = read_params(options->params.assignments, options->params.file);
    if (!params) return refuse(params.error());
    const auto loaded = load_workflow(session, options->file);
    if (!loaded) return std::unexpected(loaded.error());
    const auto bound = workflow::bind_params(*loaded->workflow, typed(*params, *loaded->workflow));
    if (!bound) return refuse(ErrorCode::invalid_argument, "{}", bound.error().message);
    auto plan = make_plan(*loaded->workflow, *bound);
    if (!plan) return refuse(plan.error());
    if (auto client = session.connect_if_running()) {
      if (const auto workers = client->workers()) match_workers(*plan, *workers);
    }
    if (session.json()) {
      write_json(session.out, plan_json(*loaded->workflow, *plan));
    } else if (session.names_only()) {
      for (const Plan::Task& task : plan->tasks) session.out.print("{}\n", task.id);
    } else {
      session.out.write(
          render_plan(*loaded->workflow, *plan, session.options.format == Format::wide, session.out.colour()));
    }
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
