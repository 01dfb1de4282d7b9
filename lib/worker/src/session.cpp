#include <baton/base/file.hpp>
#include <baton/worker/conversation.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/host.hpp>
#include <baton/worker/programs.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "process_setup.hpp"
#include "session_lock.hpp"
#include "supervisor_log.hpp"

namespace baton::worker {
namespace {

using boost::asio::posix::stream_descriptor;
using Code = boost::system::error_code;

// In the supervisor's log, and to the daemon, which shows it to its users.
void say_why(const std::string& problem) {
  say(problem);
  std::string frame;
  if (!wire::append_frame(frame, wire::ToDaemon(wire::Refused{problem}))) return;
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, frame.data(), frame.size());
}

void write_oom_score(const std::string& score) {
  const Descriptor file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] const ssize_t written = file ? ::write(file.get(), score.data(), score.size()) : -1;
}

// Before the daemon and the supervisor the kernel shall end tasks, which inherit this. They are larger than this
// process. Gives back what it was: a session that becomes a supervisor must not make the next one's worse.
std::string prefer_for_oom() {
  constexpr int kWorse = 300;
  constexpr int kWorst = 1000;
  auto before = read_file_at(AT_FDCWD, "/proc/self/oom_score_adj", 64);
  if (!before) return {};
  write_oom_score(std::to_string(std::min(std::atoi(before->c_str()) + kWorse, kWorst)));
  return std::move(*before);
}

// The conversation on stdin and stdout, and every source of events that its Runner needs. All output of a turn of the
// loop leaves in one write at its end.
class Session {
 public:
  struct Descriptors {
    Descriptor lock;  // of lock_session()
    int null = -1;
    int signals = -1;
    int notices = -1;  // of the supervisor; -1: none
  };
  Session(const SupervisorOptions& options, const Folder& folder, Descriptors descriptors, Journal journal,
          std::string boot_id, std::string oom_score)
      : options_(options),
        folder_(folder),
        lock_(std::move(descriptors.lock)),
        io_(1),
        in_(io_, 0),
        out_(io_, 1),
        signals_(io_, descriptors.signals),
        notices_(io_),
        timer_(io_),
        parting_(io_),
        oom_score_(std::move(oom_score)),
        talk_(system_host(), folder, std::move(journal), descriptors.null, std::move(boot_id)),
        runner_(talk_.runner()) {
    if (descriptors.notices >= 0) notices_.assign(descriptors.notices);
  }

  int run();

 private:
  void read_input();
  void wait_for_children();
  void wait_for_notices();
  void end_turn();
  void flush();
  void part(int code);
  void arm_timer();
  void sweep_soon();
  void leave(int code);

  SupervisorOptions options_;
  const Folder& folder_;
  Descriptor lock_;
  boost::asio::io_context io_;
  stream_descriptor in_, out_, signals_, notices_;
  boost::asio::steady_timer timer_, parting_;
  std::string oom_score_;  // of the supervisor
  Conversation talk_;
  Runner& runner_;
  std::array<char, 65536> input_;
  std::array<char, 8 * sizeof(signalfd_siginfo)> signal_;
  std::uint64_t armed_for_ = 0;
  bool reading_ = false;
  bool writing_ = false;
  bool sweeping_ = false;
  bool is_parting_ = false;
};

int Session::run() {
  if (auto recovered = runner_.recover(); !recovered) {
    say_why(recovered.error().message);
    return 1;
  }
  in_.non_blocking(true);
  out_.non_blocking(true);
  signals_.non_blocking(true);
  read_input();
  wait_for_children();
  if (notices_.is_open()) wait_for_notices();
  end_turn();
  io_.run();
  return 0;
}

// Ends this process. Its tasks run on as the supervisor's; if there is no supervisor any more, it becomes one, unless
// the folder was removed, where nobody would look for what it records.
void Session::leave(int code) {
  runner_.leave();
  pollfd notices{notices_.is_open() ? notices_.native_handle() : -1, 0, 0};
  const std::string folder = current_path(folder_);
  if (!folder.empty() && notices.fd >= 0 && ::poll(&notices, 1, 0) == 1 && (notices.revents & POLLHUP) != 0) {
    const std::string idle = std::to_string(options_.idle_exit.count());
    const char* const argv[] = {"baton-worker",   "supervise",  "--dir", folder.c_str(),
                                "--idle-exit-ms", idle.c_str(), nullptr};
    restore_descriptor_limit();
    // The link's ends must close now, and stdio must stay taken.
    const int null_fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    null_fd >= 0 ? ::dup2(null_fd, 0) : ::close(0);
    ::dup2(2, 1);
    write_oom_score(oom_score_);
    disown_session(lock_);
    ::execve("/proc/self/exe", const_cast<char* const*>(argv), ::environ);
  }
  ::_exit(code);
}

void Session::read_input() {
  if (reading_ || is_parting_ || !talk_.takes_input()) return;
  reading_ = true;
  in_.async_read_some(boost::asio::buffer(input_), [this](const Code& error, std::size_t size) {
    reading_ = false;
    if (error) return leave(0);
    talk_.feed({input_.data(), size});
    end_turn();
  });
}

void Session::wait_for_children() {
  // What it says does not matter: one signal may stand for many children.
  signals_.async_read_some(boost::asio::buffer(signal_), [this](const Code& error, std::size_t) {
    if (error) return leave(1);
    runner_.reap();
    wait_for_children();
    end_turn();
  });
}

void Session::wait_for_notices() {
  notices_.async_wait(stream_descriptor::wait_read, [this](const Code& error) {
    char bytes[256];
    const ssize_t got = error ? 0 : ::read(notices_.native_handle(), bytes, sizeof bytes);
    // The supervisor is gone. The daemon will connect again, and find this process in its place.
    if (got == 0) return leave(0);
    runner_.journal_changed();
    wait_for_notices();
    end_turn();
  });
}

void Session::end_turn() {
  if (is_parting_) return;
  talk_.end_turn();
  flush();
  if (const auto code = talk_.end()) return part(*code);
  arm_timer();
  sweep_soon();
  read_input();
}

// Leaves when the last words have left, or when nobody has taken them for a while: meanwhile nobody sees to its tasks.
void Session::part(int code) {
  is_parting_ = true;
  if (!talk_.problem().empty()) say(talk_.problem());
  if (talk_.outgoing().empty()) return leave(code);
  constexpr std::chrono::seconds kPatience(5);
  parting_.expires_after(kPatience);
  parting_.async_wait([this, code](const Code&) { leave(code); });
}

void Session::flush() {
  if (writing_) return;
  while (!talk_.outgoing().empty()) {
    const ssize_t wrote = ::write(1, talk_.outgoing().data(), talk_.outgoing().size());
    if (wrote > 0) {
      talk_.sent(static_cast<std::size_t>(wrote));
      continue;
    }
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno != EAGAIN) return leave(0);
    writing_ = true;
    out_.async_wait(stream_descriptor::wait_write, [this](const Code& error) {
      writing_ = false;
      if (error) return leave(0);
      flush();
      if (is_parting_ && talk_.outgoing().empty()) return leave(talk_.end().value_or(0));
      end_turn();
    });
    break;
  }
}

void Session::arm_timer() {
  const std::uint64_t next = runner_.next_deadline().value_or(0);
  if (next == armed_for_) return;
  armed_for_ = next;
  if (next == 0) {
    timer_.cancel();
    return;
  }
  const std::uint64_t now = system_host().boot_ns();
  timer_.expires_after(std::chrono::nanoseconds(next > now ? next - now : 0));
  timer_.async_wait([this](const Code& error) {
    if (error) return;
    armed_for_ = 0;
    runner_.tick();
    end_turn();
  });
}

// Removing what tasks left behind may take long, so a little is done whenever nothing else is.
void Session::sweep_soon() {
  if (sweeping_ || !runner_.has_garbage()) return;
  sweeping_ = true;
  boost::asio::post(io_, [this] {
    sweeping_ = false;
    if (runner_.sweep()) sweep_soon();
  });
}

Result<int> serve(const SupervisorOptions& options, int notify_fd, std::string oom_score) {
  auto folder = open_folder(options.folder);
  if (!folder) return std::unexpected(folder.error());
  if (::chdir(folder->path.c_str()) != 0) return fail_errno(errno, folder->path);
  auto lock = lock_session(folder->fd.get());
  if (!lock) return std::unexpected(lock.error());
  auto boot_id = read_boot_id();
  if (!boot_id) return std::unexpected(boot_id.error());
  auto journal = Journal::open(folder->fd.get());
  if (!journal) return std::unexpected(journal.error());
  Session::Descriptors descriptors{.lock = std::move(*lock),
                                   .null = ::open("/dev/null", O_RDONLY | O_CLOEXEC),
                                   .signals = watch_children(),
                                   .notices = notify_fd};
  if (descriptors.null < 0 || descriptors.signals < 0) return fail_errno(errno, "/dev/null");
  Session session(options, *folder, std::move(descriptors), std::move(*journal), std::move(*boot_id),
                  std::move(oom_score));
  return session.run();
}

}  // namespace

int run_session(const SupervisorOptions& options, int notify_fd) {
  keep_only_standard_streams(notify_fd);
  reset_signals();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  raise_descriptor_limit();  // a running task takes up to four
  std::string oom_score = prefer_for_oom();
  try {
    auto result = serve(options, notify_fd, std::move(oom_score));
    if (result) return *result;
    say_why(result.error().message);
  } catch (const std::exception& error) {
    say_why(error.what());
  }
  return 1;
}

}  // namespace baton::worker
