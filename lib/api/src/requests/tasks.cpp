// GET /v1/runs/{ref}/tasks: a run's task instances with their attempts, in pages.
#include <baton/base/limits.hpp>

#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kTasksPath = "/v1/runs/{ref}/tasks";
using TaskPage = views::Page<views::TaskView>;

void handle_tasks(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  TaskQuery asked{.run = request.captures[0],
                  .task = query.text("task"),
                  .state = query.text("state"),
                  .cursor = query.text("cursor")};
  asked.limit = query.number("limit", 1, limits::kPageSize).value_or(asked.limit);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.tasks(std::move(asked),
                reply.with<TaskPage>([](const Reply& to, const TaskPage& page) { to.json(page_json(page)); }));
}

}  // namespace

Route requests::tasks() { return {"GET", kTasksPath, Permission::read, handle_tasks}; }

Answer<TaskPage> Client::tasks(const TaskQuery& query) {
  Target target(kTasksPath, {query.run});
  target.with_text("task", query.task).with_text("state", query.state).with_text("cursor", query.cursor);
  target.with_number("limit", query.limit);
  return connection_->ask({"GET", std::move(target), {}, {}}, page_from_json<views::TaskView>);
}

}  // namespace baton::api
