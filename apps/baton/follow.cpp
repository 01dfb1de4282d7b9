#include "follow.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "event_feed.hpp"

namespace baton::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Streams that break again and again without a single event: something is wrong that a restart does not cure.
constexpr int kFruitlessTries = 5;

// Empty where Ctrl-C is not for us: who started us had it ignored (nohup, a job in a script's background). Once
// blocked, it would come all the same.
sigset_t interrupt_set() {
  sigset_t set;
  ::sigemptyset(&set);
  struct sigaction action{};
  const bool ignored = ::sigaction(SIGINT, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
  if (!ignored) ::sigaddset(&set, SIGINT);
  return set;
}

int poll_timeout(const RunListener& listener, const FollowQuery& query) {
  std::optional<milliseconds> time;
  if (listener.tick().count() > 0) time = listener.tick();
  if (query.deadline) {
    const auto left = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*query.deadline - steady_clock::now()));
    time = time ? std::min(*time, left) : left;
  }
  // Far deadlines are asked for again; poll takes an int.
  return time ? static_cast<int>(std::min<std::int64_t>(time->count(), 3'600'000)) : -1;
}

// One stream until it ends or something else happens; nullopt: it ended or broke, and is to be taken up again.
class Stream {
 public:
  Stream(Session& session, FollowQuery& query, RunListener& listener, Interrupts& interrupts)
      : query_(query),
        listener_(listener),
        interrupts_(interrupts),
        feed_(session.socket(), {query.run, query.after, query.after == 0 ? query.tail : 0, true}) {}

  std::optional<FollowEnd> follow() {
    while (true) {
      std::array<pollfd, 2> fds{{{feed_.fd(), POLLIN, 0}, {interrupts_.fd(), POLLIN, 0}}};
      const int ready = ::poll(fds.data(), fds.size(), poll_timeout(listener_, query_));
      if (ready < 0 && errno == EINTR) continue;
      if (fds[1].revents != 0 && interrupts_.take(milliseconds(0))) return FollowEnd::interrupted;
      const bool more = fds[0].revents == 0 || take();
      if (listener_.is_satisfied()) return FollowEnd::satisfied;
      if (query_.deadline && steady_clock::now() >= *query_.deadline) return FollowEnd::timed_out;
      listener_.on_tick();
      if (!more || saw_end_) return std::nullopt;
    }
  }

  [[nodiscard]] bool had_events() const { return had_events_; }
  // It ended by itself or has told the run's end, rather than break.
  [[nodiscard]] bool is_complete() const { return saw_end_ || !problem_; }
  [[nodiscard]] const std::optional<api::Problem>& problem() const { return problem_; }

 private:
  bool take() {
    EventFeed::Batch batch = feed_.take();
    if (!batch.events.empty()) {
      had_events_ = true;
      query_.after = batch.events.back().seq;
      const views::EventView& last = batch.events.back();
      saw_end_ = last.type == "run" && last.run == query_.run && is_final_run_state(last.state);
      listener_.on_events(batch.events);
    }
    problem_ = std::move(batch.problem);
    return !batch.ended;
  }

  FollowQuery& query_;
  RunListener& listener_;
  Interrupts& interrupts_;
  EventFeed feed_;
  bool had_events_ = false;
  bool saw_end_ = false;
  std::optional<api::Problem> problem_;
};

}  // namespace

Interrupts::Interrupts() {
  const sigset_t set = interrupt_set();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  was_blocked_ = ::sigismember(&before, SIGINT) == 1;
  fd_ = Descriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

Interrupts::~Interrupts() {
  const sigset_t set = interrupt_set();
  if (!was_blocked_) ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Interrupts::Suspended::Suspended(const Interrupts& interrupts) : was_blocked_(interrupts.was_blocked_) {
  const sigset_t set = interrupt_set();
  if (!was_blocked_) ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Interrupts::Suspended::~Suspended() {
  const sigset_t set = interrupt_set();
  if (!was_blocked_) ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

bool Interrupts::take(milliseconds time) {
  const auto deadline = steady_clock::now() + time;
  while (true) {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) == sizeof info) return true;
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{fd_.get(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(left));
  }
}

api::Answer<FollowEnd> follow(Session& session, FollowQuery& query, RunListener& listener, Interrupts& interrupts) {
  int fruitless = 0;
  bool said_so = false;
  while (true) {
    std::optional<api::Problem> problem;
    bool complete = false;
    {
      Stream stream(session, query, listener, interrupts);
      if (const auto end = stream.follow()) return *end;
      fruitless = stream.had_events() ? 0 : fruitless + 1;
      problem = stream.problem();
      complete = stream.is_complete();
    }
    if (problem && problem->error.code == ErrorCode::stopped) {
      // Whoever stopped it, to put a backup in its place perhaps, does not want it back.
      listener.on_break();
      return refuse(ErrorCode::stopped,
                    "{}; running tasks go on, and the run with the next daemon. Its result: baton wait {}",
                    problem->error.message, query.run);
    }
    if (problem && problem->error.code != ErrorCode::unavailable) return std::unexpected(*problem);
    auto running = session.connect_if_running();
    if (!running) {
      listener.on_break();
      if (!said_so) session.notice("the daemon is gone; the run's tasks go on without it");
      said_so = true;
      const Interrupts::Suspended suspended(interrupts);  // it may take a minute
      running = session.connect();
      if (!running) return std::unexpected(running.error());
    }
    const auto run = running->run(query.run);
    // After a break there may be events that nobody has seen yet; a new stream tells them.
    const bool told = complete || fruitless >= kFruitlessTries;
    if (run && is_final_run_state(run->state) && told) return FollowEnd::run_ended;
    if (!run && (run.error().error.code != ErrorCode::unavailable || fruitless >= kFruitlessTries)) {
      return std::unexpected(run.error());
    }
    if (fruitless >= kFruitlessTries) {
      return refuse(ErrorCode::unavailable, "the daemon's event stream ends again and again; the run goes on");
    }
  }
}

}  // namespace baton::cli
