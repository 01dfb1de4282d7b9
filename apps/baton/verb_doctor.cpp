#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "daemon_link.hpp"
#include "json_output.hpp"
#include "start_check.hpp"
#include "style.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

namespace fs = std::filesystem;

struct NetworkFileSystem {
  std::uint32_t magic;  // statfs(2)
  std::string_view name;
};
constexpr std::array<NetworkFileSystem, 9> kNetworkFileSystems{{{NFS_SUPER_MAGIC, "NFS"},
                                                                {SMB_SUPER_MAGIC, "SMB"},
                                                                {0xff534d42, "CIFS"},
                                                                {0xfe534d42, "SMB2"},
                                                                {AFS_SUPER_MAGIC, "AFS"},
                                                                {V9FS_MAGIC, "9p"},
                                                                {0x00c36400, "Ceph"},
                                                                {0x0bd00bd0, "Lustre"},
                                                                {FUSE_SUPER_MAGIC, "FUSE"}}};

// The nearest folder above `path` that exists.
fs::path existing_part(fs::path path) {
  std::error_code error;
  while (!fs::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  return path;
}

api::Check check_state_dir(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    const fs::path parent = existing_part(path);
    if (::access(parent.c_str(), W_OK | X_OK) != 0)
      return {"state directory", "error",
              fmt::format("{} cannot be created: {} is not writable", path, parent.string())};
    return {"state directory", "ok", path + " (not yet created)"};
  }
  if (!S_ISDIR(info.st_mode)) return {"state directory", "error", path + " is not a directory"};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) return {"state directory", "error", path + " is not writable"};
  if (info.st_uid != ::geteuid()) {
    return {"state directory", "warning", fmt::format("{} belongs to another user (uid {})", path, info.st_uid)};
  }
  if ((info.st_mode & 0077) != 0) {
    return {"state directory", "warning", fmt::format("{} can be entered by others: chmod 700 it", path)};
  }
  return {"state directory", "ok", path};
}

api::Check check_file_system(const std::string& path) {
  struct statfs info{};
  const std::string place = existing_part(path).string();
  if (::statfs(place.c_str(), &info) != 0) return {"file system", "warning", "cannot be asked about " + place};
  const auto magic = static_cast<std::uint32_t>(info.f_type);
  const auto* found = std::find_if(kNetworkFileSystems.begin(), kNetworkFileSystems.end(),
                                   [&](const NetworkFileSystem& known) { return known.magic == magic; });
  if (found != kNetworkFileSystems.end()) {
    // FUSE may be local; whether it locks and syncs as it must, nobody can tell from here.
    return {
        "file system", found->magic == FUSE_SUPER_MAGIC ? "warning" : "error",
        fmt::format(
            "the state directory is on {}: its locks and syncs cannot be relied on; choose another with --state-dir",
            found->name)};
  }
  constexpr std::uint64_t kLittle = 100u << 20;
  const std::uint64_t free = static_cast<std::uint64_t>(info.f_bavail) * static_cast<std::uint64_t>(info.f_bsize);
  if (free < kLittle) return {"file system", "warning", fmt::format("only {} MiB are free for the state", free >> 20)};
  return {"file system", "ok", fmt::format("local, {} MiB free", free >> 20)};
}

api::Check check_config(const Locations& locations) {
  const bool exists = ::access(locations.config.c_str(), F_OK) == 0;
  if (exists && ::access(locations.config.c_str(), R_OK) != 0)
    return {"configuration", "error", locations.config + " is not readable"};
  if (!exists && locations.config_named) return {"configuration", "error", locations.config + " does not exist"};
  return {"configuration", "ok", exists ? locations.config : "none, all defaults (" + locations.config + ")"};
}

api::Check check_program() {
  const auto batond = find_batond();
  if (!batond) return {"batond", "error", "the program is neither beside baton nor on PATH"};
  return {"batond", "ok", *batond};
}

// The daemon's own findings; without a daemon only that there is none, which is no fault.
void ask_daemon(Session& session, std::vector<api::Check>& checks) {
  auto client = session.connect_if_running();
  if (!client) {
    const bool absent =
        client.error().error.code == ErrorCode::unavailable && client.error().error.message.starts_with("no daemon");
    checks.push_back({"daemon", absent ? "ok" : "error",
                      absent ? "not running; it starts on first use" : client.error().error.message});
    return;
  }
  client->set_timeout(std::chrono::seconds(5));
  const auto info = client->info();
  if (!info) {
    checks.push_back(
        {"daemon", "error", "something listens on the socket but does not answer: " + info.error().error.message});
    return;
  }
  checks.push_back({"daemon", "ok", fmt::format("pid {} on {}", info->pid, session.socket())});
  const bool same = info->version == BATON_VERSION;
  checks.push_back({"version", same ? "ok" : "warning",
                    same ? BATON_VERSION
                         : fmt::format("baton is {}, the daemon {}: baton daemon stop, then it starts anew",
                                       BATON_VERSION, info->version)});
  if (info->state_dir != session.locations().state_dir) {
    checks.push_back({"daemon's state", "warning",
                      fmt::format("it is in {}, not in {}", info->state_dir, session.locations().state_dir)});
  }
  const auto found = client->doctor();
  if (found) {
    checks.insert(checks.end(), found->begin(), found->end());
  } else {
    checks.push_back({"daemon's checks", "error", found.error().error.message});
  }
}

Outcome examine(Session& session) {
  std::vector<api::Check> checks;
  if (!session.found_locations) {
    checks.push_back({"locations", "error", session.found_locations.error().message});
  } else {
    const Locations& locations = session.locations();
    checks = {check_state_dir(locations.state_dir), check_file_system(locations.state_dir), check_config(locations),
              check_program()};
    for (api::Check& found : check_start(locations)) {
      const auto same = [&](const api::Check& check) { return check.name == found.name; };
      const auto known = std::find_if(checks.begin(), checks.end(), same);
      if (known == checks.end()) {
        checks.push_back(std::move(found));
      } else if (known->state == "ok") {
        *known = std::move(found);
      }
    }
    ask_daemon(session, checks);
  }
  const bool healthy =
      std::none_of(checks.begin(), checks.end(), [](const api::Check& check) { return check.state == "error"; });
  if (session.json()) {
    nlohmann::json json = nlohmann::json::array();
    for (const api::Check& check : checks)
      json.push_back({{"name", check.name}, {"state", check.state}, {"detail", check.detail}});
    write_json(session.out, json);
  } else if (!session.options.quiet) {
    Table table({"CHECK", "STATE", "DETAIL"});
    for (const api::Check& check : checks) {
      const Style style = check.state == "ok" ? Style::green : check.state == "warning" ? Style::yellow : Style::red;
      table.add({check.name, {check.state, style}, check.detail});
    }
    session.out.write(table.render(session.out.colour()));
  }
  return healthy ? kExitSucceeded : kExitFailed;
}

}  // namespace

Action declare_doctor(Arguments& arguments) {
  auto fsck = std::make_shared<bool>(false);
  arguments.flag("--fsck", *fsck, "Check the database and the workers' files; no daemon may run");
  return [fsck](Session& session) -> Outcome {
    if (!*fsck) return examine(session);
    if (!session.found_locations) return refuse(session.found_locations.error());
    std::vector<std::string> check{"--check"};
    if (session.json()) check.emplace_back("--json");
    return refuse(become_batond(session.locations(), std::move(check)));
  };
}

}  // namespace baton::cli
