// GET /v1/runs/{ref}/tasks/{name}/log: what an attempt wrote, byte by byte. A log that cannot be read to its end breaks
// the connection off, so that nobody takes a part for the whole.
#include <limits>

#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kLogPath = "/v1/runs/{ref}/tasks/{name}/log";

void handle_log(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  LogQuery asked{.run = request.captures[0], .task = request.captures[1], .tail = {}};
  asked.attempt =
      static_cast<std::uint32_t>(query.number("attempt", 0, std::numeric_limits<std::uint32_t>::max()).value_or(0));
  asked.tail = query.number("tail", 0, std::numeric_limits<std::uint64_t>::max());
  asked.follow = query.flag("follow");
  if (auto read = query.finish(); !read) return reply.error(read.error());
  const bool follow = asked.follow;
  backend.log(std::move(asked),
              reply.with<std::shared_ptr<ByteSource>>([follow](const Reply& to, std::shared_ptr<ByteSource> source) {
                to.stream({"application/octet-stream", std::move(source), follow});
              }));
}

}  // namespace

Route requests::log() { return {"GET", kLogPath, Permission::read, handle_log}; }

Answer<void> Client::log(const LogQuery& query, const std::function<bool(std::string_view)>& on_bytes,
                         int interrupt_fd) {
  if (query.task.empty()) {
    return std::unexpected(Problem{{ErrorCode::invalid_argument, "a log belongs to a task; none is named"}, {}});
  }
  Target target(kLogPath, {query.run, query.task});
  target.with_number("attempt", query.attempt).with_flag("follow", query.follow);
  if (query.tail) target.with("tail", std::to_string(*query.tail));
  return connection_->stream({"GET", std::move(target), {}, {}}, on_bytes, interrupt_fd);
}

}  // namespace baton::api
