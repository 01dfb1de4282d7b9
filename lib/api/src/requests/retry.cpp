// POST /v1/runs/{ref}/retry: runs again what did not succeed, or a task and all that follows it.
#include "../connection.hpp"
#include "../problem.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kRetryPath = "/v1/runs/{ref}/retry";

void handle_retry(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  BodyFields body(request.body);
  RetryRequest retry{.run = request.captures[0],
                     .from = body.text("from"),
                     .params = body.object("params"),
                     .dry_run = body.flag("dry_run")};
  if (auto read = body.finish(); !read) return reply.error(read.error());
  backend.retry(std::move(retry), reply.with<RetryReply>([](const Reply& to, const RetryReply& done) {
    to.json({{"run", done.run}, {"instances", done.instances}});
  }));
}

}  // namespace

Route requests::retry() { return {"POST", kRetryPath, Permission::change, handle_retry}; }

Answer<RetryReply> Client::retry(const RetryRequest& request) {
  const nlohmann::json body{{"from", request.from}, {"params", request.params}, {"dry_run", request.dry_run}};
  return connection_->ask({"POST", {kRetryPath, {request.run}}, dump(body), {}}, [](const nlohmann::json& json) {
    return RetryReply{json.at("run").get<views::RunView>(), json.at("instances").get<std::vector<std::string>>()};
  });
}

}  // namespace baton::api
