// GET /v1/doctor: what the daemon finds right and wrong with its surroundings.
#include "../connection.hpp"
#include "requests.hpp"

namespace baton::api {
namespace {

constexpr std::string_view kDoctorPath = "/v1/doctor";
using Checks = std::vector<Check>;

void handle_doctor(const Request& request, Backend& backend, const Reply& reply) {
  QueryFields query(request);
  if (auto read = query.finish(); !read) return reply.error(read.error());
  backend.doctor(reply.with<Checks>([](const Reply& to, const Checks& checks) {
    nlohmann::json items = nlohmann::json::array();
    for (const Check& check : checks) {
      items.push_back({{"name", check.name}, {"state", check.state}, {"detail", check.detail}});
    }
    to.json({{"items", std::move(items)}});
  }));
}

}  // namespace

Route requests::doctor() { return {"GET", kDoctorPath, Permission::read, handle_doctor}; }

Answer<Checks> Client::doctor() {
  return connection_->ask({"GET", {kDoctorPath, {}}, {}, {}}, [](const nlohmann::json& json) {
    Checks checks;
    for (const nlohmann::json& item : json.at("items")) {
      checks.push_back({item.at("name"), item.at("state"), item.at("detail")});
    }
    return checks;
  });
}

}  // namespace baton::api
