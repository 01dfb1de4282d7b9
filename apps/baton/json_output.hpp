// JSON on standard output.
#pragma once
#include <nlohmann/json.hpp>

#include "session.hpp"

namespace baton::cli {

// Indented, with a newline. Text that is not UTF-8 is replaced, so that this never fails.
void write_json(Output& out, const nlohmann::json& json);

// The run with all its tasks, which are fetched and written page by page.
api::Answer<void> write_run_json(Output& out, api::Client& client, const views::RunView& run);

// Calls `each` for every task instance of a run, page by page, until it returns false.
api::Answer<void> for_each_task(api::Client& client, api::TaskQuery query,
                                const std::function<bool(const views::TaskView&)>& each);

}  // namespace baton::cli
