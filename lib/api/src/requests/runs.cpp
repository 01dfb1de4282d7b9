// GET /v1/runs: runs, newest first, in pages.
#include <baton/base/limits.hpp>

#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kRunsPath = "/v1/runs";
using RunPage = views::Page<views::RunView>;

void handle_runs(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  RunQuery asked{.workflow = query.text("workflow"),
                 .states = query.texts("state"),
                 .parent = query.text("parent"),
                 .include_children = query.flag("include_children"),
                 .cursor = query.text("cursor")};
  asked.limit = query.number("limit", 1, limits::kPageSize).value_or(asked.limit);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.runs(std::move(asked),
               reply.with<RunPage>([](const Reply& to, const RunPage& page) { to.json(page_json(page)); }));
}

}  // namespace

Route requests::runs() { return {"GET", kRunsPath, Permission::read, handle_runs}; }

Answer<RunPage> Client::runs(const RunQuery& query) {
  Target target(kRunsPath, {});
  target.with_text("workflow", query.workflow).with_text("parent", query.parent).with_text("cursor", query.cursor);
  for (const std::string& state : query.states) target.with("state", state);
  target.with_flag("include_children", query.include_children).with_number("limit", query.limit);
  return connection_->ask({"GET", std::move(target), {}, {}}, page_from_json<views::RunView>);
}

}  // namespace baton::api
