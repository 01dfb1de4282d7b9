// GET /v1/runs/{ref}: one run with its tasks counted by state.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kRunPath = "/v1/runs/{ref}";

void handle_run(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.run(request.captures[0], reply.as_json<views::RunView>());
}

}  // namespace

Route requests::run() { return {"GET", kRunPath, Permission::read, handle_run}; }

Answer<views::RunView> Client::run(const std::string& reference) {
  return connection_->ask({"GET", {kRunPath, {reference}}, {}, {}},
                          [](const nlohmann::json& json) { return json.get<views::RunView>(); });
}

}  // namespace baton::api
