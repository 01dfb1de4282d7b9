// GET /v1/runs/{ref}/workflow: the files a run was made from, as they were submitted.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kWorkflowSourcePath = "/v1/runs/{ref}/workflow";

void handle_workflow_source(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.workflow_source(request.captures[0],
                          reply.with<SubmitRequest>([](const Reply& to, const SubmitRequest& source) {
                            to.json({{"entry", source.entry}, {"files", source.files}});
                          }));
}

}  // namespace

Route requests::workflow_source() { return {"GET", kWorkflowSourcePath, Permission::read, handle_workflow_source}; }

Answer<SubmitRequest> Client::workflow_source(const std::string& reference) {
  return connection_->ask({"GET", {kWorkflowSourcePath, {reference}}, {}, {}}, [](const nlohmann::json& json) {
    SubmitRequest source;
    source.entry = json.at("entry");
    source.files = json.at("files").get<std::map<std::string, std::string>>();
    return source;
  });
}

}  // namespace baton::api
