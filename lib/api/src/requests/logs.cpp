// GET /v1/runs/{ref}/logs: which attempts of a run have a log, in order of their start.
#include <limits>

#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kLogsPath = "/v1/runs/{ref}/logs";
using Entries = std::vector<LogEntry>;

void handle_logs(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  std::string task = query.text("task");
  const bool failed_only = query.flag("failed");
  const auto attempt = query.number("attempt", 0, std::numeric_limits<std::uint32_t>::max()).value_or(0);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.logs(
      request.captures[0], std::move(task), failed_only, static_cast<std::uint32_t>(attempt),
      reply.with<Entries>([](const Reply& to, const Entries& entries) {
        nlohmann::json items = nlohmann::json::array();
        for (const LogEntry& entry : entries) {
          items.push_back(
              {{"task", entry.task}, {"attempt", entry.attempt}, {"state", entry.state}, {"ended", entry.ended}});
        }
        to.json({{"items", std::move(items)}});
      }));
}

}  // namespace

Route requests::logs() { return {"GET", kLogsPath, Permission::read, handle_logs}; }

Answer<Entries> Client::logs(const std::string& reference, const std::string& task, bool failed_only,
                             std::uint32_t attempt) {
  Target target(kLogsPath, {reference});
  target.with_text("task", task).with_flag("failed", failed_only).with_number("attempt", attempt);
  return connection_->ask({"GET", std::move(target), {}, {}}, [](const nlohmann::json& json) {
    Entries entries;
    for (const nlohmann::json& item : json.at("items")) {
      entries.push_back({item.at("task"), item.at("attempt"), item.at("state"), item.at("ended")});
    }
    return entries;
  });
}

}  // namespace baton::api
