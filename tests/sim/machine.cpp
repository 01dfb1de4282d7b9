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

void end_life(Life& life) {
  life.alive = false;
  life.missed.clear();  // they keep their pipes, which keep this life
}

}  // namespace

Machine::Machine(World& world, Model& model, std::string name, std::string path)
    : world_(world),
      model_(model),
      name_(std::move(name)),
      path_(std::move(path)),
      host_(std::make_unique<SimHost>(*this)) {
  auto folder = worker::open_folder(path_);
  if (!folder) throw Violation{"set-up", folder.error().message};
  folder_.emplace(std::move(*folder));
}

Machine::~Machine() {
  if (holder_) end_life(*holder_->life);
}

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
  world_.after(kMs, power_, [this] {
    end_stopped_holder();
    start_next_session();
  });
}

// The supervisor kills every session before; one that has lost it is killed by the next, which has waited in vain. Here
// sessions that can leave by themselves do, which is later and so harder on the next one.
void Machine::end_stopped_holder() {
  if (!holder_ || !holder_->life->frozen) return;
  if (!holder_->is_orphan) return leave(SessionPtr(holder_), false);
  world_.after(10 * kSecond, power_, [this, stopped = holder_] {
    if (stopped == holder_ && stopped->life->frozen) leave(SessionPtr(stopped), false);
  });
}

void Machine::stop_session(std::uint64_t chance) {
  if (!holder_ || holder_->life->frozen) return;
  holder_->life->frozen = true;
  if (chance % 3 == 0) return;
  world_.after(chance % (60 * kSecond), nullptr, [this, life = holder_->life] {
    if (!life->alive) return;
    world_.say("the session on {} goes on", name_);
    world_.thaw(*life, life);
  });
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
  auto journal = [&] {
    const WorkerDisk::Use disk(disk_);
    return worker::Journal::open(folder_->fd.get(), kJournalBytes);
  }();
  if (!journal && disk_.full()) return leave(session, true);  // a folder that never had one
  if (!journal) throw Violation{"set-up", journal.error().message};
  session->talk =
      std::make_unique<worker::Conversation>(*host_, *folder_, std::move(*journal), -1, fmt::format("boot-{}", boots_));
  world_.say("session begins on {}", name_);
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
    if (text) model_.admitted(name_, admitted, highest_);
    highest_ = std::max(highest_, admitted);
  });
}

// Something happens in the session's process; then its output leaves, as at the end of a turn of its loop.
void Machine::turn(const SessionPtr& session, const std::function<void()>& what) {
  if (!session->life->alive) return;
  const WorkerDisk::Use disk(disk_);
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
  end_life(*session->life);
  session->channel->to_daemon->close(in_order ? kMs : 2 * kMs);
  session->talk.reset();
  world_.say("session {}", in_order ? "left" : "died");
  if (holder_ != session) return;
  holder_.reset();
  if (in_order) supervisor_ = true;
  const bool is_seen = supervisor_ && (in_order || !session->is_orphan);
  for (auto& [pid, process] : processes_) {
    if (process.parent == Parent::session) process.parent = is_seen ? Parent::supervisor : Parent::nobody;
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
  holder_->is_orphan = true;
  // The pipe of notices ends: the session hands itself over.
  world_.after(200, holder_->life, [this, session = holder_] { leave(session, true); });
}

void Machine::reboot(std::uint64_t chance) {
  world_.say("{} is booted anew", name_);
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
    end_life(*session->life);
    session->talk.reset();
    session->channel->to_daemon->cut(chance, kSecond);
  }
  // The journal is not synced: some of its end is gone, or all of it.
  const std::string journal = path_ + "/journal";
  std::error_code error;
  const auto size = std::filesystem::file_size(journal, error);
  if (!error && chance % 3 != 0) ::truncate(journal.c_str(), static_cast<off_t>((chance / 3) % (size + 1)));
  model_.memory_lost(name_);
  ++boots_;
  booted_ = world_.now();
}

void Machine::fill_disk(std::uint64_t chance, Time lasts) {
  world_.say("the disk of {} is full", name_);
  disk_.fill(chance % 2 == 0);
  model_.worker_disk_full(name_, true);
  world_.after(lasts, nullptr, [this] {
    disk_.empty();
    model_.worker_disk_full(name_, false);
  });
}

// A write that a full disk or a crash cut short: the readers must skip the piece.
void Machine::tear_journal(std::uint64_t chance) {
  worker::Record record(worker::RecordKind::exited);
  worker::seal(record);
  const Descriptor fd(::open((path_ + "/journal").c_str(), O_WRONLY | O_APPEND));
  if (fd && ::write(fd.get(), &record, 1 + chance % (sizeof record - 1)) < 0) world_.say("no journal to tear");
}

}  // namespace baton::sim
