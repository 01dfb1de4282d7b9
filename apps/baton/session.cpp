#include "session.hpp"

#include <baton/base/descriptor_limit.hpp>
#include <baton/base/text.hpp>

#include <fstream>
#include <utility>

#include "daemon_link.hpp"

namespace baton::cli {
namespace {

constexpr auto kPatience = std::chrono::seconds(2);

// With socket activation it is systemd that listens, and the daemon's number is not known.
std::string who(std::int64_t pid) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), name);
  return name == "batond" ? fmt::format(" (pid {})", pid) : "";
}

}  // namespace

Session::Session(GlobalOptions global, Result<Locations> places, Output& standard_output, Output& standard_error)
    : options(std::move(global)),
      found_locations(std::move(places)),
      out(standard_output),
      err(standard_error),
      socket_(found_locations ? found_locations->socket : "") {}

void Session::notice(const std::string& text) {
  if (options.quiet) return;
  out.flush();
  err.print("baton: {}\n", escape_control(text));
  err.flush();
}

api::Client Session::client() {
  api::Client client(socket_);
  client.on_slow(kPatience, [this](std::int64_t pid) {
    if (std::exchange(said_slow_, true)) return;
    notice(fmt::format("the daemon{} does not answer yet; waiting for it", who(pid)));
  });
  return client;
}

api::Answer<api::Client> Session::connect() {
  if (options.no_start) {
    auto found = find();
    if (!found) return std::unexpected(found.error());
    if (*found) return client();
    return refuse(ErrorCode::unavailable, "no daemon answers on {} (start one with: baton daemon start)", socket_);
  }
  const auto started = start();
  if (!started) return std::unexpected(started.error());
  api::Client found = client();
  if (*started) {
    const auto info = found.info();
    if (!info) return std::unexpected(info.error());
    notice(fmt::format("started batond (pid {}, state in {})", info->pid, locations().state_dir));
  }
  return found;
}

api::Answer<bool> Session::start() {
  if (!found_locations) return refuse(found_locations.error());
  if (const auto enough = check_descriptor_limit("the command line"); !enough) return refuse(enough.error());
  auto started = start_daemon(locations(), [this](const std::string& text) { notice(text); });
  if (!started) return refuse(started.error());
  socket_ = std::move(started->socket);
  return started->by_this_call;
}

api::Answer<bool> Session::find() {
  if (!found_locations) return refuse(found_locations.error());
  if (const auto enough = check_descriptor_limit("the command line"); !enough) return refuse(enough.error());
  auto found = find_daemon(locations());
  if (!found) return refuse(found.error());
  if (found->silent) return refuse(does_not_listen(locations(), *found->silent));
  if (found->socket.empty()) return false;
  socket_ = std::move(found->socket);
  return true;
}

api::Answer<api::Client> Session::connect_if_running() {
  const auto found = find();
  if (!found) return std::unexpected(found.error());
  if (!*found) return refuse(ErrorCode::unavailable, "no daemon answers on {}", socket_);
  return client();
}

}  // namespace baton::cli
