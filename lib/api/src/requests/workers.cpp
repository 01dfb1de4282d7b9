// GET /v1/workers: the workers the daemon knows, and what is in use on them.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kWorkersPath = "/v1/workers";
using Workers = std::vector<views::WorkerView>;

void handle_workers(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.workers(reply.with<Workers>([](const Reply& to, const Workers& workers) { to.json({{"items", workers}}); }));
}

}  // namespace

Route requests::workers() { return {"GET", kWorkersPath, Permission::read, handle_workers}; }

Answer<Workers> Client::workers() {
  return connection_->ask({"GET", {kWorkersPath, {}}, {}, {}},
                          [](const nlohmann::json& json) { return json.at("items").get<Workers>(); });
}

}  // namespace baton::api
