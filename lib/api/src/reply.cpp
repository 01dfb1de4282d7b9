#include "reply.hpp"

#include <spdlog/spdlog.h>

#include "problem.hpp"

namespace baton::api {

Document problem_document(const Problem& problem, unsigned status) {
  Document document;
  document.status = status;
  document.content_type = "application/problem+json";
  document.body = dump(problem_json(problem, status)) + '\n';
  return document;
}

void Reply::json(const nlohmann::json& body, unsigned status, std::string location) const {
  Document document;
  document.status = status;
  document.body = dump(body) + '\n';
  document.location = std::move(location);
  responder_->send(std::move(document));
}

void Reply::problem(const Problem& problem) const {
  responder_->send(problem_document(problem, status_of(problem.error.code)));
}

void Reply::defect(const std::exception& exception) const {
  spdlog::error("api: a request's handler threw: {}", exception.what());
  // The text stays in the log: it may quote what the client should not see.
  error({ErrorCode::internal, "the daemon failed to answer; its log says why"});
}

}  // namespace baton::api
