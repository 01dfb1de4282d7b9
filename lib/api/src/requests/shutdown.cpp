// POST /v1/shutdown: ends the daemon once this is answered; tasks go on without it.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kShutdownPath = "/v1/shutdown";

void handle_shutdown(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  BodyFields body(request.body);
  if (auto read = body.finish(); !read) return reply.error(read.error());
  backend.shutdown(reply.with<bool>([](const Reply& to, bool stopping) { to.json({{"stopping", stopping}}); }));
}

}  // namespace

Route requests::shutdown() { return {"POST", kShutdownPath, Permission::administer, handle_shutdown}; }

Answer<bool> Client::shutdown() {
  return connection_->ask({"POST", {kShutdownPath, {}}, {}, {}},
                          [](const nlohmann::json& json) { return json.at("stopping").get<bool>(); });
}

}  // namespace baton::api
