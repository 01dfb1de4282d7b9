// GET /v1/runs/{ref}/why: why a run, or one of its tasks, is not going on.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kWhyPath = "/v1/runs/{ref}/why";

void handle_why(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  std::string task = query.text("task");
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.why(request.captures[0], std::move(task),
              reply.with<std::string>([](const Reply& to, const std::string& why) { to.json({{"why", why}}); }));
}

}  // namespace

Route requests::why() { return {"GET", kWhyPath, Permission::read, handle_why}; }

Answer<std::string> Client::why(const std::string& reference, const std::string& task) {
  Target target(kWhyPath, {reference});
  target.with_text("task", task);
  return connection_->ask({"GET", std::move(target), {}, {}},
                          [](const nlohmann::json& json) { return json.at("why").get<std::string>(); });
}

}  // namespace baton::api
