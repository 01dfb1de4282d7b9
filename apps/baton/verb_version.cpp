#include "json_output.hpp"
#include "verbs.hpp"

namespace baton::cli {

Action declare_version(Arguments&) {
  return [](Session& session) -> Outcome {
    std::string daemon;
    if (auto client = session.connect_if_running()) {
      if (const auto info = client->info()) daemon = info->version;
    }
    if (session.json()) {
      nlohmann::json json{{"version", BATON_VERSION}};
      if (!daemon.empty()) json["daemon"] = daemon;
      write_json(session.out, json);
    } else if (session.names_only()) {
      session.out.print("{}\n", BATON_VERSION);
    } else {
      session.out.print("baton {}\n", BATON_VERSION);
      if (!daemon.empty() && daemon != BATON_VERSION) session.out.print("batond {}\n", daemon);
    }
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
