// Every verb's declaration, one file each: verb_NAME.cpp. The table is in verbs.cpp.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "arguments.hpp"

namespace baton::cli {

std::span<const Verb> verbs();

Action declare_approve(Arguments& arguments);
Action declare_cancel(Arguments& arguments);
Action declare_completion(Arguments& arguments);
Action declare_daemon_adopt(Arguments& arguments);
Action declare_daemon_backup(Arguments& arguments);
Action declare_daemon_logs(Arguments& arguments);
Action declare_daemon_reload(Arguments& arguments);
Action declare_daemon_start(Arguments& arguments);
Action declare_daemon_status(Arguments& arguments);
Action declare_daemon_stop(Arguments& arguments);
Action declare_describe(Arguments& arguments);
Action declare_doctor(Arguments& arguments);
Action declare_events(Arguments& arguments);
Action declare_graph(Arguments& arguments);
Action declare_logs(Arguments& arguments);
Action declare_ls(Arguments& arguments);
Action declare_plan(Arguments& arguments);
Action declare_reject(Arguments& arguments);
Action declare_retry(Arguments& arguments);
Action declare_run(Arguments& arguments);
Action declare_submit(Arguments& arguments);
Action declare_validate(Arguments& arguments);
Action declare_version(Arguments& arguments);
Action declare_wait(Arguments& arguments);
Action declare_why(Arguments& arguments);
Action declare_worker_ls(Arguments& arguments);

// -p and --params-file, as all verbs take them that make a run.
struct ParamOptions {
  std::vector<std::string> assignments;
  std::string file;
  void declare(Arguments& arguments);
};

}  // namespace baton::cli
