// GET /v1/info: which daemon this is and how much it holds.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kInfoPath = "/v1/info";

nlohmann::json to_document(const DaemonInfo& info) {
  return {{"version", info.version},
          {"pid", info.pid},
          {"uid", info.uid},
          {"started_at", format_rfc3339(info.started_at)},
          {"state_dir", info.state_dir},
          {"socket", info.socket},
          {"state_id", info.state_id},
          {"config", info.config.empty() ? nlohmann::json(nullptr) : nlohmann::json(info.config)},
          {"incarnation", info.incarnation},
          {"active_runs", info.active_runs},
          {"runs", info.runs},
          {"instances", info.instances},
          {"database_bytes", info.database_bytes},
          {"resident_bytes", info.resident_bytes},
          {"schema_version", info.schema_version}};
}

DaemonInfo from_document(const nlohmann::json& json) {
  return {.version = json.at("version"),
          .pid = json.at("pid"),
          .uid = json.at("uid"),
          .started_at = parse_rfc3339(json.at("started_at").get<std::string>()).value(),
          .state_dir = json.at("state_dir"),
          .socket = json.at("socket"),
          .state_id = json.at("state_id"),
          .config = json.at("config").is_null() ? std::string() : json.at("config").get<std::string>(),
          .incarnation = json.at("incarnation"),
          .active_runs = json.at("active_runs"),
          .runs = json.at("runs"),
          .instances = json.at("instances"),
          .database_bytes = json.at("database_bytes"),
          .resident_bytes = json.at("resident_bytes"),
          .schema_version = json.at("schema_version")};
}

void handle_info(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.info(reply.with<DaemonInfo>([](const Reply& to, const DaemonInfo& info) { to.json(to_document(info)); }));
}

}  // namespace

Route requests::info() { return {"GET", kInfoPath, Permission::read, handle_info}; }

Answer<DaemonInfo> Client::info() { return connection_->ask({"GET", {kInfoPath, {}}, {}, {}}, from_document); }

}  // namespace baton::api
