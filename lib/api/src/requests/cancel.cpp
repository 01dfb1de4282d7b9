// POST /v1/runs/{ref}/cancel: once it is answered no new attempt of the run is made.
#include "../connection.hpp"
#include "../problem.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kCancelPath = "/v1/runs/{ref}/cancel";

void handle_cancel(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  BodyFields body(request.body);
  std::string reason = body.remark("reason");
  if (auto read = body.finish(); !read) return reply.error(read.error());
  backend.cancel(request.captures[0], std::move(reason), reply.as_json<views::RunView>());
}

}  // namespace

Route requests::cancel() { return {"POST", kCancelPath, Permission::change, handle_cancel}; }

Answer<views::RunView> Client::cancel(const std::string& reference, const std::string& reason) {
  return connection_->ask({"POST", {kCancelPath, {reference}}, dump({{"reason", reason}}), {}},
                          [](const nlohmann::json& json) { return json.get<views::RunView>(); });
}

}  // namespace baton::api
