// What a running daemon needs in its state directory and at its socket: looked at once a second, as somebody may remove
// or replace any of it.
#include "daemon_parts.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

namespace baton::service {
namespace {

// A daemon that others can pass by must not serve for long.
constexpr auto kLook = std::chrono::seconds(1);

}  // namespace

void Daemon::watch() {
  watch_timer_.expires_after(kLook);
  watch_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled || stopping_) return;
    if (look_at_state()) watch();
  });
}

bool Daemon::database_is_kept() const { return files_->look() == store::OpenFiles::Place::kept; }

bool Daemon::look_at_state() {
  const bool ours = state_dir_->is_ours();
  if (ours && database_is_kept()) {
    if (!server_->is_reachable()) listen_again();
    return true;
  }
  const std::string why =
      ours ? fmt::format("the database {} was removed or replaced while the daemon ran", state_dir_->database())
           : fmt::format("the lock of {} was removed or replaced: another daemon may have taken over",
                         state_dir_->path());
  spdlog::critical("{}; ending, tasks go on", why);
  stop_with({ErrorCode::conflict, why});
  return false;
}

// A removed file is there until it is closed. Nothing is answered or started any more: it would not be in the copy.
void Daemon::save_state(const std::function<void()>& then) {
  // A name that nobody removes together with the database's.
  const std::string aside = fmt::format("{}/saved-{}.db", state_dir_->path(), format_rfc3339(clock_.now()));
  store_->ask<std::string>(
      [files = *files_, aside, put_back = state_dir_->is_ours()](store::Queries& queries) {
        return files.save(queries, aside, put_back);
      },
      [this, then](Result<std::string> saved) {
        if (!saved && saved.error().code == ErrorCode::disk_full) {
          // To end would take away what is there alone.
          if (!saving_) spdlog::critical("there is no room to save what the database held; trying again every second");
          saving_ = after(kLook, [this, then] { save_state(then); });
          return;
        }
        if (!saved) {
          spdlog::critical("what the database held cannot be saved: {}", saved.error().message);
        } else if (*saved == state_dir_->database()) {
          spdlog::warn("the database is in its place again, nothing is lost; the next daemon goes on from it");
        } else {
          spdlog::critical("what the database held is in {}; to go on from it, put it in its place", *saved);
        }
        then();
      });
}

// XDG_RUNTIME_DIR goes when its user logs out. Then the socket is in the state directory, whose lock says so.
void Daemon::listen_again() {
  std::string why;
  for (const std::string& path : {options_.locations.socket, state_dir_->path() + "/baton.sock"}) {
    Result<> moved = make_socket_folder(path);
    if (moved) moved = server_->move_to(path);
    if (moved) {
      spdlog::warn("the socket {} was removed or replaced; listening on {}", std::exchange(socket_, path), path);
      state_dir_->note_socket(path);
      unreachable_ = false;
      return;
    }
    why = std::move(moved.error().message);
  }
  if (!std::exchange(unreachable_, true)) {
    spdlog::error("the socket {} was removed or replaced, and another cannot be made: {}; trying again", socket_, why);
  }
}

}  // namespace baton::service
