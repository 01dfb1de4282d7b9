#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <baton/base/quantity.hpp>
#include <baton/base/text.hpp>

#include <cerrno>
#include <utility>

#include "daemon_link.hpp"
#include "follow.hpp"
#include "json_output.hpp"
#include "log_text.hpp"
#include "progress_text.hpp"
#include "verbs.hpp"
#include "workflow_files.hpp"

namespace baton::cli {
namespace {

constexpr int kStopsWithinMs = 30'000;

nlohmann::json info_json(const api::DaemonInfo& info) {
  return {{"version", info.version},
          {"pid", info.pid},
          {"uid", info.uid},
          {"started_at", format_rfc3339(info.started_at)},
          {"state_dir", info.state_dir},
          {"socket", info.socket},
          {"config", info.config.empty() ? nlohmann::json(nullptr) : nlohmann::json(info.config)},
          {"state_id", info.state_id},
          {"incarnation", info.incarnation},
          {"schema_version", info.schema_version},
          {"active_runs", info.active_runs},
          {"runs", info.runs},
          {"instances", info.instances},
          {"database_bytes", info.database_bytes},
          {"resident_bytes", info.resident_bytes}};
}

void print_info(Session& session, const api::DaemonInfo& info) {
  if (session.json()) {
    write_json(session.out, info_json(info));
    return;
  }
  if (session.names_only()) {
    session.out.print("{}\n", info.pid);
    return;
  }
  session.out.print("batond {} runs as pid {} since {}\n", info.version, info.pid, local_time(info.started_at));
  session.out.print("  socket:   {}\n  state:    {}\n", escape_control(info.socket), escape_control(info.state_dir));
  session.out.print("  config:   {}\n", info.config.empty() ? "none, all defaults" : escape_control(info.config));
  session.out.print("  runs:     {}, {} active\n", info.runs, info.active_runs);
  session.out.print("  database: {}\n  memory:   {}\n", format_bytes(static_cast<std::int64_t>(info.database_bytes)),
                    format_bytes(static_cast<std::int64_t>(info.resident_bytes)));
}

Outcome start(Session& session) {
  const auto started = session.start();
  if (!started) return std::unexpected(started.error());
  api::Client client = session.client();
  const auto info = client.info();
  if (!info) return std::unexpected(info.error());
  if (!session.json() && !session.names_only()) {
    session.out.write(*started ? "started\n" : "it was running already\n");
  }
  print_info(session, *info);
  return kExitSucceeded;
}

Outcome stop(Session& session) {
  const auto found = session.find();
  if (!found) return std::unexpected(found.error());
  if (!*found) {
    session.notice("no daemon runs");
    return kExitSucceeded;
  }
  api::Client client = session.client();
  const auto info = client.info();
  if (!info) return std::unexpected(info.error());
  // The process is held on to before it is told to go, so that its number cannot become somebody else's.
  const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(info->pid), 0)));
  const auto asked = client.shutdown();
  if (!asked) return std::unexpected(asked.error());
  if (process) {
    pollfd waiting{process.get(), POLLIN, 0};
    int ready = 0;
    do ready = ::poll(&waiting, 1, kStopsWithinMs);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) return refuse(ErrorCode::unavailable, "batond (pid {}) has not stopped within 30 s", info->pid);
  }
  if (!session.options.quiet) session.out.print("stopped; running tasks go on\n");
  return kExitSucceeded;
}

Outcome reload(Session& session) {
  auto client = session.connect_if_running();
  if (!client) return std::unexpected(client.error());
  const auto notices = client->reload();
  if (!notices) return std::unexpected(notices.error());
  if (session.json()) {
    write_json(session.out, {{"notices", *notices}});
    return kExitSucceeded;
  }
  for (const std::string& notice : *notices) session.notice(notice);
  if (!session.options.quiet) session.out.write("reloaded\n");
  return kExitSucceeded;
}

Outcome status(Session& session) {
  auto client = session.connect_if_running();
  if (!client) return std::unexpected(client.error());
  const auto info = client->info();
  if (!info) return std::unexpected(info.error());
  print_info(session, *info);
  return kExitSucceeded;
}

struct LogOptions {
  std::uint64_t tail = 100;
  bool follow = false;
};

// Where the last `lines` lines of the file begin; takes off `lines` how many there are.
off_t tail_offset(int fd, std::uint64_t& lines) {
  off_t at = ::lseek(fd, 0, SEEK_END);
  std::uint64_t newlines = 0;
  std::string chunk(64u << 10, '\0');
  while (at > 0) {
    const auto size = std::min<off_t>(at, static_cast<off_t>(chunk.size()));
    const ssize_t got = ::pread(fd, chunk.data(), static_cast<std::size_t>(size), at - size);
    if (got != size) return 0;
    for (off_t i = size; i > 0; --i) {
      if (chunk[static_cast<std::size_t>(i - 1)] != '\n') continue;
      // The newline at the very end closes the last line.
      if (newlines++ == lines) {
        lines = 0;
        return at - size + i;
      }
    }
    at -= size;
  }
  lines -= std::min(lines, newlines);
  return 0;
}

void copy_rest(Session& session, int fd, TerminalFilter& filter) {
  std::string chunk(64u << 10, '\0');
  ssize_t got = 0;
  while (session.out.ok() && (got = ::read(fd, chunk.data(), chunk.size())) > 0) {
    const std::string_view bytes(chunk.data(), static_cast<std::size_t>(got));
    session.out.write(session.out.is_terminal() ? filter.feed(bytes) : std::string(bytes));
  }
  session.out.flush();
}

Descriptor open_log(const std::string& path) { return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

// The last lines, from the log before as well where this one has just begun.
void copy_tail(Session& session, int fd, std::uint64_t lines, TerminalFilter& filter) {
  const off_t from = tail_offset(fd, lines);
  if (const Descriptor older = open_log(older_daemon_log_path(session.locations())); older && lines > 0) {
    ::lseek(older.get(), tail_offset(older.get(), lines), SEEK_SET);
    copy_rest(session, older.get(), filter);
  }
  ::lseek(fd, from, SEEK_SET);
  copy_rest(session, fd, filter);
}

// What is under the log's name now, if that is another file: the daemon puts a log that is too long aside.
Descriptor successor(const std::string& path, int fd) {
  Descriptor next = open_log(path);
  struct stat now{}, before{};
  const bool same = next && ::fstat(next.get(), &now) == 0 && ::fstat(fd, &before) == 0 &&
                    now.st_dev == before.st_dev && now.st_ino == before.st_ino;
  if (same) next.reset();
  return next;
}

Outcome logs(Session& session, const LogOptions& options) {
  if (!session.found_locations) return refuse(session.found_locations.error());
  const std::string path = daemon_log_path(session.locations());
  Descriptor log = open_log(path);
  if (!log && errno == ENOENT) {
    return refuse(ErrorCode::not_found, "{} does not exist: no daemon was started by baton here", path);
  }
  if (!log) return refuse(fail_errno(errno, path).error());
  const Descriptor changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const auto watch = [&changes](const std::string& what, std::uint32_t events) {
    return ::inotify_add_watch(changes.get(), what.c_str(), events) >= 0;
  };
  if (options.follow && !(watch(path, IN_MODIFY) && watch(session.locations().state_dir, IN_CREATE))) {
    return refuse(fail_errno(errno, path).error());
  }
  TerminalFilter filter(session.out.colour());
  copy_tail(session, log.get(), options.tail, filter);
  Interrupts interrupts;
  while (options.follow && session.out.ok()) {
    Descriptor next = successor(path, log.get());
    copy_rest(session, log.get(), filter);
    if (next) {
      log = std::move(next);
      watch(path, IN_MODIFY);
      continue;
    }
    pollfd waiting[2] = {{changes.get(), POLLIN, 0}, {interrupts.fd(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) break;
    if (waiting[1].revents != 0) return kExitInterrupted;
    alignas(inotify_event) char events[4096];
    while (::read(changes.get(), events, sizeof events) > 0) {
    }
  }
  if (session.out.is_terminal()) session.out.write(filter.finish());
  return kExitSucceeded;
}

}  // namespace

Action declare_daemon_start(Arguments&) { return start; }
Action declare_daemon_stop(Arguments&) { return stop; }
Action declare_daemon_reload(Arguments&) { return reload; }
Action declare_daemon_status(Arguments&) { return status; }

Action declare_daemon_backup(Arguments& arguments) {
  auto file = std::make_shared<std::string>();
  arguments.operand("FILE", *file, Operand::file, "The copy; must not exist yet");
  return [file](Session& session) -> Outcome {
    if (!session.found_locations) return refuse(session.found_locations.error());
    return refuse(become_batond(session.locations(), {"--backup=" + *file}));
  };
}

Action declare_daemon_adopt(Arguments&) {
  return [](Session& session) -> Outcome {
    if (!session.found_locations) return refuse(session.found_locations.error());
    return refuse(become_batond(session.locations(), {"--adopt"}));
  };
}

Action declare_daemon_logs(Arguments& arguments) {
  auto options = std::make_shared<LogOptions>();
  arguments.flag("-f,--follow", options->follow, "Go on with what is added");
  arguments.number("--tail", options->tail, "The last N lines (100)");
  return [options](Session& session) { return logs(session, *options); };
}

}  // namespace baton::cli
