#include "json_output.hpp"

namespace baton::cli {
namespace {

std::string dumped(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void write_json(Output& out, const nlohmann::json& json) {
  out.write(dumped(json));
  out.write("\n");
}

api::Answer<void> for_each_task(api::Client& client, api::TaskQuery query,
                                const std::function<bool(const views::TaskView&)>& each) {
  do {
    const auto page = client.tasks(query);
    if (!page) return std::unexpected(page.error());
    for (const views::TaskView& task : page->items) {
      if (!each(task)) return {};
    }
    query.cursor = page->next_cursor;
  } while (!query.cursor.empty());
  return {};
}

api::Answer<void> write_run_json(Output& out, api::Client& client, const views::RunView& run) {
  // The run's object is left open for its tasks, of which there may be more than fit in memory at once.
  std::string head = dumped(run);
  head.erase(head.rfind('\n'));
  out.write(head + ",\n  \"tasks\": [");
  const char* separator = "\n";
  api::TaskQuery query;
  query.run = run.id;
  auto written = for_each_task(client, query, [&](const views::TaskView& task) {
    out.write(separator);
    out.write(dumped(task));
    separator = ",\n";
    return out.ok();
  });
  if (!written) return written;
  out.write("\n  ]\n}\n");
  return {};
}

}  // namespace baton::cli
