#include "machine.hpp"

#include <baton/base/file.hpp>
#include <baton/base/mutation.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "sim_host.hpp"

namespace baton::sim {
namespace {

// Small, so that it is compacted often.
constexpr std::uint64_t kJournalBytes = 4096;

}  // namespace

Machine::Machine(World& world, Model& model, std::string path)
    : world_(world), model_(model), path_(std::move(path)), host_(std::make_unique<SimHost>(*this)) {
  auto folder = worker::open_folder(path_);
  if (!folder) throw Violation{"set-up", folder.error().message};
  folder_.emplace(std::move(*folder));
}

Machine::~Machine() = default;

void Machine::attach(const std::shared_ptr<Channel>& channel) {
  supervisor_ = true;
  auto session = std::make_shared<Session>();
  session->channel = channel;
  const std::weak_ptr<Session> weak = session;
  channel->to_worker->receive(
      session->life,
      [this, weak](std::string bytes) {
        if (const auto self = weak.lock()) hear(self, std::move(bytes));
      },
      [this, weak] {
        const auto self = weak.lock();
        if (!self) return;
        if (self->talk) return leave(self, true);
        self->ended_early = true;
      });
  waiting_.push_back(session);
  world_.after(kMs, power_, [this] { start_next_session(); });
}

// session.lock: held by the session, and by its children until their exec.
void Machine::start_next_session() {
  const bool locked = between_fork_and_exec_ > 0 && !mutated(Mutation::skip_session_lock);
  if (holder_ || locked || waiting_.empty()) return;
  const SessionPtr next = waiting_.front();
  waiting_.pop_front();
  if (next->ended_early && next->early.empty()) {
    next->life->alive = false;
    return start_next_session();
  }
  begin(next);
}

void Machine::begin(const SessionPtr& session) {
  holder_ = session;
  auto journal = worker::Journal::open(folder_->fd.get(), kJournalBytes);
  if (!journal) throw Violation{"set-up", journal.error().message};
  session->talk =
      std::make_unique<worker::Conversation>(*host_, *folder_, std::move(*journal), -1, fmt::format("boot-{}", boots_));
  world_.say("session begins");
  bool recovered = false;
  turn(session, [&] { recovered = session->talk->runner().recover().has_value(); });
  if (!session->life->alive) return;
  if (!recovered) return leave(session, true);
  if (!session->early.empty()) hear(session, std::exchange(session->early, {}));
  if (session->life->alive && session->ended_early) leave(session, true);
}

void Machine::hear(const SessionPtr& session, std::string bytes) {
  if (!session->talk) {
    session->early += bytes;
    return;
  }
  turn(session, [&] {
    const bool before = session->talk->greeted();
    session->talk->feed(bytes);
    if (before || !session->talk->greeted()) return;
    const auto text = read_file_at(folder_->fd.get(), "daemon", 1024);
    const std::uint64_t admitted = highest_incarnation(bytes);
    if (text) model_.admitted(admitted, highest_);
    highest_ = std::max(highest_, admitted);
  });
}

// Something happens in the session's process; then its output leaves, as at the end of a turn of its loop.
void Machine::turn(const SessionPtr& session, const std::function<void()>& what) {
  if (!session->life->alive) return;
  try {
    what();
    session->talk->end_turn();
    while (!session->talk->outgoing().empty()) {
      const std::string leaving(session->talk->outgoing());
      session->channel->to_daemon->send(leaving);
      session->talk->sent(leaving.size());
    }
  } catch (const SessionCrash&) {
    world_.say("session crashed inside");
    return leave(session, false);
  }
  if (session->talk->end()) return leave(session, true);
  arm(session);
}

void Machine::arm(const SessionPtr& session) {
  const auto next = session->talk->runner().next_deadline();
  if (next == session->deadline) return;
  session->deadline = next;
  if (!next) return;
  const std::uint64_t now = boot_ns();
  const Time delay = *next > now ? (*next - now + 999) / 1000 : 0;
  world_.after(delay, session->life, [this, session, due = *next] {
    if (session->deadline != due) return;
    session->deadline.reset();
    turn(session, [&] { session->talk->runner().tick(); });
  });
}

// The session's process ends, or (in order, without a supervisor) becomes the supervisor.
void Machine::leave(const SessionPtr& session, bool in_order) {
  if (!session->life->alive) return;
  session->life->alive = false;
  session->channel->to_daemon->close(in_order ? kMs : 2 * kMs);
  session->talk.reset();
  world_.say("session {}", in_order ? "left" : "died");
  if (holder_ != session) return;
  holder_.reset();
  if (in_order) supervisor_ = true;
  for (auto& [pid, process] : processes_) {
    if (process.parent == Parent::session) process.parent = supervisor_ ? Parent::supervisor : Parent::nobody;
  }
  supervise();
  world_.after(100, power_, [this] { start_next_session(); });
}

void Machine::crash_session(std::uint64_t chance) {
  if (!holder_) return;
  if (chance % 2 == 0) holder_->channel->to_daemon->cut(chance, kMs);
  leave(SessionPtr(holder_), false);
}

void Machine::crash_supervisor() {
  if (!supervisor_) return;
  supervisor_ = false;
  for (auto& [pid, process] : processes_) {
    if (process.parent == Parent::supervisor) process.parent = Parent::nobody;
  }
  supervise();
  if (!holder_) return;
  // The pipe of notices ends: the session hands itself over.
  world_.after(200, holder_->life, [this, session = holder_] {
    if (!supervisor_) leave(session, true);
  });
}

void Machine::reboot(std::uint64_t chance) {
  world_.say("reboot");
  power_->alive = false;
  power_ = std::make_shared<Life>();
  supervisor_ = false;
  between_fork_and_exec_ = 0;
  for (auto& [pid, process] : processes_) {
    process.life->alive = false;
    if (process.running && !process.zombie) model_.process_ended(process.attempt, SIGKILL, false);
  }
  processes_.clear();
  for (const auto& [attempt, count] : left_) model_.process_left(attempt, -count);
  left_.clear();
  for (const SessionPtr& session : waiting_) {
    session->life->alive = false;
    session->channel->to_daemon->cut(chance, kSecond);
  }
  waiting_.clear();
  if (const SessionPtr session = std::exchange(holder_, nullptr)) {
    session->life->alive = false;
    session->talk.reset();
    session->channel->to_daemon->cut(chance, kSecond);
  }
  // The journal is not synced: some of its end is gone, or all of it.
  const std::string journal = path_ + "/journal";
  std::error_code error;
  const auto size = std::filesystem::file_size(journal, error);
  if (!error && chance % 3 != 0) ::truncate(journal.c_str(), static_cast<off_t>((chance / 3) % (size + 1)));
  model_.memory_lost();
  ++boots_;
  booted_ = world_.now();
}

// A write that a full disk or a crash cut short: the readers must skip the piece.
void Machine::tear_journal(std::uint64_t chance) {
  worker::Record record(worker::RecordKind::exited);
  worker::seal(record);
  const Descriptor fd(::open((path_ + "/journal").c_str(), O_WRONLY | O_APPEND));
  if (fd && ::write(fd.get(), &record, 1 + chance % (sizeof record - 1)) < 0) world_.say("no journal to tear");
}

void Machine::may_crash() {
  if (crash_how_ % 3 == 1) return;  // only between fork and exec
  if (crash_in_ > 0 && --crash_in_ == 0) throw SessionCrash{};
}

pid_t Machine::fresh_pid() {
  do last_pid_ = last_pid_ % 64 + 1;
  while (processes_.contains(100 + last_pid_));
  return 100 + last_pid_;
}

worker::SpawnResult Machine::spawn(const worker::SpawnPlan& plan) {
  if (crash_in_ > 0 && crash_how_ % 3 == 0) may_crash();
  const pid_t pid = fresh_pid();
  Process process;
  process.attempt = AttemptId(plan.started->attempt);
  const std::uint64_t chance = world_.hash(process.attempt.value(), 0x9c);
  process.ignores_term = chance % 6 == 0;
  plan.started->start.boot_from_ns = boot_ns();
  process.start_ns = boot_ns() / 10'000'000 * 10'000'000;
  std::string output;
  for (char* const* entry = plan.environment; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).starts_with("BATON_OUTPUT=")) output = *entry + 13;
  }
  processes_[pid] = process;
  worker::Record started = *plan.started;
  started.pid = static_cast<std::uint32_t>(pid);
  if (crash_in_ > 0 && crash_how_ % 3 == 1) {
    // The session dies while its child is between fork and exec.
    crash_in_ = 0;
    ++between_fork_and_exec_;
    const int journal = ::dup(plan.journal_fd);
    world_.after(10 * kMs + chance % (800 * kMs), power_, [this, pid, started, journal, output]() mutable {
      started.start.boot_to_ns = boot_ns();
      worker::append_record(journal, started);
      ::close(journal);
      --between_fork_and_exec_;
      run_process(pid, output);
      world_.after(100, power_, [this] { start_next_session(); });
    });
    throw SessionCrash{};
  }
  started.start.boot_to_ns = boot_ns();
  *plan.started = started;
  if (const int error = worker::append_record(plan.journal_fd, *plan.started); error != 0) {
    processes_.erase(pid);
    return {-1, error, worker::SpawnStage::journal};
  }
  run_process(pid, output);
  if (const std::uint64_t how = std::exchange(reboot_chance_, 0); how != 0) {
    world_.after(how % (4 * kMs), nullptr, [this, how] { reboot(how / 2); });
  }
  if (crash_in_ > 0 && crash_how_ % 3 != 0) may_crash();
  return {pid, 0, worker::SpawnStage::none};
}

// exec: from here on it is the task.
void Machine::run_process(pid_t pid, std::string output_path) {
  Process& process = processes_.at(pid);
  process.output_path = std::move(output_path);
  process.running = true;
  world_.say("attempt {} runs as {}", process.attempt.value(), pid);
  model_.process_started(process.attempt);
  const std::uint64_t chance = world_.hash(process.attempt.value(), 0x7a5c);
  const std::uint64_t kind = chance % 20;
  Time lasts = kMs + (chance >> 8) % (50 * kMs);
  if (kind >= 12) lasts = (chance >> 8) % (2 * kSecond);
  if (kind == 19) lasts = (chance >> 8) % (20 * kSecond);
  const std::uint64_t how = (chance >> 40) % 20;
  const std::int32_t status = how < 14 ? 0 : how < 19 ? static_cast<std::int32_t>(how - 13) << 8 : SIGSEGV;
  world_.after(lasts, process.life, [this, pid, status] { end_process(pid, status); });
}

void Machine::end_process(pid_t pid, std::int32_t status) {
  Process& process = processes_.at(pid);
  if (process.zombie) return;
  process.zombie = true;
  process.status = status;
  process.life->alive = false;
  const AttemptId attempt = process.attempt;
  const std::uint64_t chance = world_.hash(attempt.value(), 0x0f);
  if (status == 0 && chance % 20 != 0) {
    const Descriptor file(::open(process.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
    if (file && ::write(file.get(), "x=1\n", 4) != 4) throw Violation{"set-up", "no output"};
  }
  if (status != SIGKILL && chance % 7 == 1) {  // it leaves a daemon behind
    ++left_[attempt];
    model_.process_left(attempt, 1);
    world_.after(chance % (3 * kSecond), power_, [this, attempt] {
      if (left_[attempt] == 0) return;
      --left_[attempt];
      model_.process_left(attempt, -1);
    });
  }
  model_.process_ended(attempt, status, process.parent != Parent::nobody);
  world_.say("attempt {} ended with {}", attempt.value(), status);
  if (process.parent == Parent::session && holder_) {
    world_.after(50, holder_->life,
                 [this, session = holder_] { turn(session, [&] { session->talk->runner().reap(); }); });
  } else {
    world_.after(50, power_, [this] { supervise(); });
  }
}

// What the supervisor does: record, then reap. Without one, init reaps and nobody saw.
void Machine::supervise() {
  bool recorded = false;
  for (auto at = processes_.begin(); at != processes_.end();) {
    Process& process = at->second;
    if (!process.zombie || process.parent == Parent::session) {
      ++at;
      continue;
    }
    if (process.parent == Parent::supervisor && supervisor_) {
      worker::Record record(worker::RecordKind::exited);
      record.pid = static_cast<std::uint32_t>(at->first);
      record.time_us = wall().time_since_epoch().count();
      record.end.start_ns = process.start_ns;
      record.end.status = process.status;
      worker::append_to_journal(folder_->fd.get(), record);
      recorded = true;
    } else {
      model_.exit_unseen(process.attempt);
    }
    at = processes_.erase(at);
  }
  if (!recorded || !holder_) return;
  world_.after(50, holder_->life,
               [this, session = holder_] { turn(session, [&] { session->talk->runner().journal_changed(); }); });
}

std::size_t Machine::living(AttemptId attempt) const {
  std::size_t count = 0;
  for (const auto& [pid, process] : processes_)
    count += process.attempt == attempt && process.running && !process.zombie ? 1 : 0;
  const auto left = left_.find(attempt);
  return count + (left == left_.end() ? 0 : static_cast<std::size_t>(left->second));
}

std::size_t Machine::signal(AttemptId attempt, int number) {
  may_crash();
  const std::size_t count = living(attempt);
  if (count > 0) model_.process_killed(attempt);
  std::vector<pid_t> pids;
  for (const auto& [pid, process] : processes_) {
    if (process.attempt == attempt && process.running && !process.zombie) pids.push_back(pid);
  }
  for (const pid_t pid : pids) {
    if (number == SIGKILL) {
      end_process(pid, SIGKILL);
    } else if (!processes_.at(pid).ignores_term) {
      world_.after(world_.hash(attempt.value(), 0x15) % (50 * kMs), processes_.at(pid).life,
                   [this, pid] { end_process(pid, SIGTERM); });
    }
  }
  if (number == SIGKILL) {
    if (int& left = left_[attempt]; left > 0) model_.process_left(attempt, -std::exchange(left, 0));
  }
  return count;
}

}  // namespace baton::sim
