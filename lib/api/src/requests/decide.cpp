// POST …/approve and …/reject: a person's answer to a task that waits for approval, named or the only one of its run.
#include "../connection.hpp"
#include "../problem.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kApprove = "/v1/runs/{ref}/approve";
constexpr std::string_view kReject = "/v1/runs/{ref}/reject";
constexpr std::string_view kApproveTask = "/v1/runs/{ref}/tasks/{name}/approve";
constexpr std::string_view kRejectTask = "/v1/runs/{ref}/tasks/{name}/reject";

void decide(const Request& request, Backend& backend, const Reply& reply, bool approve) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  BodyFields body(request.body);
  DecideRequest decision{.run = request.captures[0],
                         .task = request.captures.size() > 1 ? request.captures[1] : std::string(),
                         .approve = approve,
                         .comment = body.remark("comment")};
  if (auto read = body.finish(); !read) return reply.error(read.error());
  backend.decide(std::move(decision), reply.as_json<views::RunView>());
}

void handle_approve(const Request& request, Backend& backend, const Reply& reply) {
  decide(request, backend, reply, true);
}
void handle_reject(const Request& request, Backend& backend, const Reply& reply) {
  decide(request, backend, reply, false);
}

}  // namespace

Route requests::approve() { return {"POST", kApprove, Permission::decide, handle_approve}; }
Route requests::reject() { return {"POST", kReject, Permission::decide, handle_reject}; }
Route requests::approve_task() { return {"POST", kApproveTask, Permission::decide, handle_approve}; }
Route requests::reject_task() { return {"POST", kRejectTask, Permission::decide, handle_reject}; }

Answer<views::RunView> Client::decide(const DecideRequest& request) {
  const bool named = !request.task.empty();
  const std::string_view path = request.approve ? (named ? kApproveTask : kApprove) : (named ? kRejectTask : kReject);
  return connection_->ask({"POST", {path, {request.run, request.task}}, dump({{"comment", request.comment}}), {}},
                          [](const nlohmann::json& json) { return json.get<views::RunView>(); });
}

}  // namespace baton::api
