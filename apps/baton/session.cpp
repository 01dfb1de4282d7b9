#include "session.hpp"

#include <baton/base/text.hpp>

#include "daemon_link.hpp"

namespace baton::cli {

Session::Session(GlobalOptions global, Result<Locations> places, Output& standard_output, Output& standard_error)
    : options(std::move(global)), found_locations(std::move(places)), out(standard_output), err(standard_error) {}

void Session::notice(const std::string& text) {
  if (options.quiet) return;
  out.flush();
  err.print("baton: {}\n", escape_control(text));
  err.flush();
}

api::Answer<api::Client> Session::connect() {
  if (!found_locations) return refuse(found_locations.error());
  const auto listens = someone_listens(locations().socket);
  if (!listens) return refuse(listens.error());
  if (*listens) return api::Client(locations().socket);
  if (options.no_start) {
    return refuse(ErrorCode::unavailable, "no daemon answers on {} (start one with: baton daemon start)",
                  locations().socket);
  }
  const auto started = start_daemon(locations());
  if (!started) return refuse(started.error());
  api::Client client(locations().socket);
  if (*started) {
    const auto info = client.info();
    if (!info) return std::unexpected(info.error());
    notice(fmt::format("started batond (pid {}, state in {})", info->pid, locations().state_dir));
  }
  return client;
}

api::Answer<api::Client> Session::connect_if_running() {
  if (!found_locations) return refuse(found_locations.error());
  const auto listens = someone_listens(locations().socket);
  if (!listens) return refuse(listens.error());
  if (!*listens) return refuse(ErrorCode::unavailable, "no daemon answers on {}", locations().socket);
  return api::Client(locations().socket);
}

}  // namespace baton::cli
