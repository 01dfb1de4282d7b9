// POST /v1/reload: reads the configuration anew; no task is stopped.
#include <nlohmann/json.hpp>

#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kReloadPath = "/v1/reload";
using Notices = std::vector<std::string>;

void handle_reload(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  BodyFields body(request.body);
  if (auto read = body.finish(); !read) return reply.error(read.error());
  backend.reload(reply.with<Notices>([](const Reply& to, const Notices& notices) { to.json({{"notices", notices}}); }));
}

}  // namespace

Route requests::reload() { return {"POST", kReloadPath, Permission::administer, handle_reload}; }

Answer<Notices> Client::reload() {
  return connection_->ask({"POST", {kReloadPath, {}}, {}, {}},
                          [](const nlohmann::json& json) { return json.at("notices").get<Notices>(); });
}

}  // namespace baton::api
