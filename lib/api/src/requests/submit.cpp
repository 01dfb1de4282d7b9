// POST /v1/runs: a workflow's files become a run. The same Idempotency-Key again answers with the same run.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include "../connection.hpp"
#include "../problem.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kSubmitPath = "/v1/runs";

Result<> check(const SubmitRequest& request) {
  if (!request.files.contains(request.entry)) {
    return fail(ErrorCode::invalid_argument, "`entry` does not name one of `files`");
  }
  if (request.files.size() > limits::kBundleFiles) {
    return fail(ErrorCode::limit, "{} files, at most {} are allowed", request.files.size(), limits::kBundleFiles);
  }
  for (const auto& [name, text] : request.files) {
    if (text.size() > limits::kWorkflowFileBytes) {
      return fail(ErrorCode::limit, "{} has {} bytes, at most {} are allowed", escape_control(name), text.size(),
                  limits::kWorkflowFileBytes);
    }
  }
  if (!request.working_dir.starts_with('/')) {
    return fail(ErrorCode::invalid_argument, "`working_dir` must be an absolute path");
  }
  if (!request.request_key.empty() && !is_id(request.request_key)) {
    return fail(ErrorCode::invalid_argument, "Idempotency-Key must match [A-Za-z0-9_.-]{{1,64}}");
  }
  return {};
}

void handle_submit(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  BodyFields body(request.body);
  SubmitRequest submit{.entry = body.required_text("entry"),
                       .files = body.texts("files"),
                       .params = body.object("params"),
                       .working_dir = body.required_text("working_dir"),
                       .labels = body.texts("labels"),
                       .priority = body.integer("priority"),
                       .request_key = request.idempotency_key};
  if (auto read = body.finish(); !read) return reply.error(read.error());
  if (auto checked = check(submit); !checked) return reply.error(checked.error());
  backend.submit(std::move(submit), reply.with<views::RunView>([](const Reply& to, const views::RunView& run) {
    to.json(run, 201, "/v1/runs/" + percent_encode(run.id));
  }));
}

// JSON has no place for bytes that are not text, so they are found here, where the file can still be named.
Result<> check_text(const SubmitRequest& request) {
  for (const auto& [name, text] : request.files) {
    if (!is_valid_utf8(name))
      return fail(ErrorCode::invalid_argument, "{}: the name is not UTF-8", escape_control(name));
    if (!is_valid_utf8(text)) return fail(ErrorCode::invalid_argument, "{}: not UTF-8 text", escape_control(name));
  }
  if (!is_valid_utf8(request.working_dir)) {
    return fail(ErrorCode::invalid_argument, "{}: the folder's name is not UTF-8", escape_control(request.working_dir));
  }
  return {};
}

}  // namespace

Route requests::submit() { return {"POST", kSubmitPath, Permission::change, handle_submit}; }

Answer<views::RunView> Client::submit(const SubmitRequest& request) {
  if (auto checked = check_text(request); !checked) return std::unexpected(Problem{checked.error(), {}});
  nlohmann::json body{{"entry", request.entry},
                      {"files", request.files},
                      {"params", request.params},
                      {"working_dir", request.working_dir},
                      {"labels", request.labels}};
  if (request.priority) body["priority"] = *request.priority;
  return connection_->ask({"POST", {kSubmitPath, {}}, dump(body), request.request_key},
                          [](const nlohmann::json& json) { return json.get<views::RunView>(); });
}

}  // namespace baton::api
