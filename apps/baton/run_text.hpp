// Runs and tasks as tables.
#pragma once
#include <baton/views/views.hpp>

#include <string>
#include <vector>

namespace baton::cli {

// The time on the wall clock.
TimePoint now();

std::string run_table(const std::vector<views::RunView>& runs, bool wide, TimePoint at, bool colour);
// The run's own lines: what it is, when, how it ended.
std::string run_header(const views::RunView& run, TimePoint at, bool colour);
std::string task_table(const std::vector<views::TaskView>& tasks, bool wide, TimePoint at, bool colour);
// A line per task of the workflow with its instances counted.
std::string summary_table(const std::vector<views::TaskSummary>& summary, bool colour);
std::string worker_table(const std::vector<views::WorkerView>& workers, bool wide, bool colour);

}  // namespace baton::cli
