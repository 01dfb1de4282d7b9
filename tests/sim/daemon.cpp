#include "daemon.hpp"

#include <sqlite3.h>
#include <baton/engine/snapshot_check.hpp>
#include <baton/wire/frame.hpp>

#include <algorithm>
#include <deque>

namespace baton::sim {
namespace {

// The daemon's end of a link: frames in virtual time.
class SimStream final : public executor::Stream, public std::enable_shared_from_this<SimStream> {
 public:
  SimStream(Site& site, std::uint64_t incarnation, std::shared_ptr<Life> life, std::shared_ptr<Channel> channel,
            Handlers handlers)
      : site_(site),
        incarnation_(incarnation),
        life_(std::move(life)),
        channel_(std::move(channel)),
        handlers_(std::move(handlers)) {}

  void listen() {
    const std::weak_ptr<SimStream> weak = weak_from_this();
    channel_->to_daemon->receive(
        life_,
        [weak](const std::string& bytes) {
          if (const auto self = weak.lock()) self->hear(bytes);
        },
        [weak] {
          if (const auto self = weak.lock()) self->fail_with("the session ended");
        });
  }

  bool send(const wire::ToWorker& message) override {
    if (closed_) return true;
    if (const auto* launch = std::get_if<wire::Launch>(&message)) {
      site_.world.say("daemon {} launches attempt {}", incarnation_, launch->attempt.value());
      site_.model.launch_sent(launch->attempt, incarnation_);
    }
    if (const auto* kill = std::get_if<wire::Kill>(&message)) {
      site_.world.say("daemon {} kills attempt {}", incarnation_, kill->attempt.value());
    }
    if (const auto* forget = std::get_if<wire::Forget>(&message)) {
      for (const AttemptId attempt : forget->attempts) site_.model.forget_sent(attempt);
    }
    if (site_.crash_in_release > 0 && --site_.crash_in_release == 0) throw DaemonCrash{};
    std::string bytes;
    if (!wire::append_frame(bytes, message)) return false;
    const bool is_news = !std::holds_alternative<wire::Hello>(message) && !std::holds_alternative<wire::Ping>(message);
    const bool twice = site_.duplicates > 0 && is_news;
    sent_ += bytes.size();
    channel_->to_worker->send(bytes);
    if (!twice) return true;
    --site_.duplicates;
    channel_->to_worker->send(bytes);
    return true;
  }
  void pause(bool) override {}
  [[nodiscard]] Traffic traffic() const override { return {.received = received_, .left = sent_, .waiting = 0}; }
  void close() override {
    if (closed_) return;
    closed_ = true;
    channel_->to_worker->close(kMs);
  }

 private:
  void hear(const std::string& bytes) {
    if (closed_) return;
    received_ += bytes.size();
    reader_.feed(bytes);
    std::vector<wire::ToDaemon> messages;
    while (true) {
      auto message = reader_.next();
      require(message.has_value(), "the link carries frames", "{}", message ? "" : message.error().message);
      if (!*message) break;
      messages.push_back(std::move(**message));
    }
    if (!messages.empty()) handlers_.messages(std::move(messages));
  }
  void fail_with(std::string why) {
    if (closed_) return;
    close();
    handlers_.closed({ErrorCode::unavailable, std::move(why)});
  }

  Site& site_;
  std::uint64_t incarnation_;
  std::shared_ptr<Life> life_;
  std::shared_ptr<Channel> channel_;
  Handlers handlers_;
  wire::FrameReader<wire::ToDaemon> reader_;
  std::uint64_t received_ = 0, sent_ = 0;
  bool closed_ = false;
};

class SimTimer final : public executor::Timer {
 public:
  SimTimer(World& world, std::shared_ptr<Life> life) : world_(world), life_(std::move(life)) {}
  ~SimTimer() override { *started_ = 0; }
  void start(Duration after, std::function<void()> fire) override {
    const std::uint64_t mine = ++next_;
    *started_ = mine;
    world_.after(static_cast<Time>(after.count()), life_, [started = started_, mine, fire = std::move(fire)] {
      if (*started == mine) fire();
    });
  }
  void cancel() override { *started_ = 0; }

 private:
  World& world_;
  std::shared_ptr<Life> life_;
  std::shared_ptr<std::uint64_t> started_ = std::make_shared<std::uint64_t>(0);
  std::uint64_t next_ = 0;
};

}  // namespace

class Daemon::SimClock final : public service::Clock {
 public:
  explicit SimClock(const Site& site) : site_(site) {}
  [[nodiscard]] TimePoint now() const override { return site_.wall(); }
  [[nodiscard]] Duration since_boot() const override {
    return Duration(static_cast<std::int64_t>(site_.world.now())) + std::chrono::hours(1);
  }

 private:
  const Site& site_;
};

class Daemon::Ports final : public executor::LinkPorts {
 public:
  explicit Ports(Daemon& daemon) : daemon_(daemon) {}
  Result<std::shared_ptr<executor::Stream>> dial(const executor::LinkOptions& link,
                                                 executor::Stream::Handlers handlers) override {
    Site& site = daemon_.site_;
    const std::size_t machine = link.id.value();
    const auto channel = std::make_shared<Channel>(site.world, ++site.channels);
    site.dialled[machine] = channel;
    auto stream = std::make_shared<SimStream>(site, daemon_.incarnation_, daemon_.life_, channel, std::move(handlers));
    stream->listen();
    site.machines.at(machine)->attach(channel);
    return stream;
  }
  std::unique_ptr<executor::Timer> make_timer() override {
    return std::make_unique<SimTimer>(daemon_.site_.world, daemon_.life_);
  }
  void post(std::function<void()> completion) override { daemon_.post(std::move(completion)); }

 private:
  Daemon& daemon_;
};

// The production connection, recovery and Writer, without threads.
class Daemon::SqliteStore final : public store::Store {
 public:
  explicit SqliteStore(Daemon& daemon) : daemon_(daemon) {
    auto connection = std::make_unique<store::Connection>(daemon.site_.database, store::Access::read_write);
    // A daemon that is killed moves nothing from the log into the database.
    sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    store::prepare_database(*connection);
    writer_ = std::make_unique<store::Writer>(
        std::move(connection), [this](std::function<void()> completion) { daemon_.post(std::move(completion)); },
        [this](store::Health health) {
          if (health == store::Health::out_of_space) daemon_.site_.world.say("the disk is full");
          daemon_.scheduler_->on_health(health);
        });
  }
  Result<store::Recovered> recover() override {
    store::Recovered recovered = store::recover_state(writer_->connection());
    incarnation_ = recovered.incarnation;
    writer_->accept(recovered.incarnation);
    return recovered;
  }
  void commit(store::Batch batch, std::function<void(Result<store::Committed>)> done) override {
    Site& site = daemon_.site_;
    decisions_.push_back({.records = batch.records, .at = site.world.now(), .wall = batch.now});
    writer_->commit(std::move(batch), std::move(done));
    if (planned_) return;
    const std::uint64_t chance = site.world.hash(++commits_, incarnation_);
    Time delay = 50 + chance % (3 * kMs);
    if (site.world.now() < site.slow_until) delay += (chance >> 8) % (2 * kSecond);
    plan(delay);
  }
  [[nodiscard]] std::size_t queued() const override { return writer_->queued(); }
  void read(std::function<void(store::Queries&)>) override {}

  Result<engine::RunSnapshot> snapshot(RunKey run) {
    store::StatementCache statements(writer_->connection());
    return store::load_run(statements, run);
  }

 protected:
  void post(std::function<void()> completion) override { daemon_.post(std::move(completion)); }

 private:
  void plan(Time delay) {
    planned_ = true;
    daemon_.site_.world.after(delay, daemon_.life_, [this] { step(); });
  }
  // As the writer's thread: everything that is queued, and again after a while what found no room.
  void step() {
    Site& site = daemon_.site_;
    planned_ = false;
    if (std::exchange(site.crash_before_commit, false)) throw DaemonCrash{};
    const std::uint64_t commits = writer_->connection().commits();
    const std::size_t queued = writer_->queued();
    writer_->step();
    const auto answered = static_cast<std::ptrdiff_t>(queued - writer_->queued());
    const std::vector<Model::Decision> all(decisions_.begin(), decisions_.begin() + answered);
    decisions_.erase(decisions_.begin(), decisions_.begin() + answered);
    if (writer_->connection().commits() != commits) site.model.committed(all, incarnation_);
    if (std::exchange(site.crash_after_commit, false)) throw DaemonCrash{};
    if (!decisions_.empty()) plan(writer_->has_to_wait() ? 250 * kMs : kMs);
  }

  Daemon& daemon_;
  std::unique_ptr<store::Writer> writer_;
  std::deque<Model::Decision> decisions_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t commits_ = 0;
  bool planned_ = false;
};

Daemon::Daemon(Site& site) : site_(site) {
  Result<store::Recovered> recovered = store::Recovered{};
  try {
    store_ = std::make_unique<SqliteStore>(*this);
    recovered = store_->recover();
  } catch (const store::SqlError& error) {
    require(error.error().code == ErrorCode::disk_full, "a start fails for want of room alone", "{}",
            error.error().message);
    throw NoStart{};
  }
  site.world.say("daemon {} begins, {} runs", recovered->incarnation, recovered->runs.size());
  incarnation_ = recovered->incarnation;
  site.model.began(incarnation_, *recovered);
  executor::WorkerExecutorOptions options{.daemon_id = recovered->state_id, .incarnation = incarnation_, .links = {}};
  std::map<WorkerId, std::string> names;
  for (std::uint32_t worker = 0; worker < site.machines.size(); ++worker) {
    executor::LinkOptions link;
    link.id = WorkerId(worker);
    link.name = kMachineNames[worker];
    link.labels = {kMachineNames[worker]};
    link.boot_file = fmt::format("{}{}", site.boot_file, worker);
    names[link.id] = link.name;
    options.links.push_back(std::move(link));
  }
  executor_ = std::make_unique<executor::LinkSet>(
      std::make_unique<Ports>(*this), std::move(options),
      [this](std::vector<engine::Event> events) { scheduler_->enqueue(std::move(events)); });
  clock_ = std::make_unique<SimClock>(site);
  service::SchedulerPorts ports;
  ports.store = store_.get();
  ports.executor = executor_.get();
  ports.clock = clock_.get();
  ports.post = [this](std::function<void()> what) { post(std::move(what)); };
  ports.wake_at = [this](std::optional<Duration> since_boot) { wake_at(since_boot); };
  ports.secret = [](const std::string&) { return std::string("secret"); };
  ports.masked_values = [] { return std::vector<std::string>{"secret"}; };
  ports.run_created = [](const engine::RunCreated&) {};
  ports.publish = [](const std::vector<views::EventView>&) {};
  ports.fatal = [this](const Error& error) {
    site_.world.say("daemon {} ends: {}", incarnation_, error.message);
    failed_ = true;
  };
  scheduler_ = std::make_unique<service::Scheduler>(engine::Engine(recovered->counters), std::move(ports));
  // As Daemon::serve.
  std::vector<engine::Event> events;
  events.emplace_back(engine::WorkersConfigured{.names = std::move(names)});
  events.emplace_back(engine::PoolsChanged{kPools});
  for (engine::RunSnapshot& run : recovered->runs) {
    auto workflow = site.workflows.at(run.created.workflow);
    if (auto fits = engine::check_snapshot(run, *workflow); !fits) throw Violation{"P9 recovery", fits.error().message};
    events.emplace_back(engine::RunRestored{.snapshot = std::move(run), .workflow = std::move(workflow)});
  }
  scheduler_->enqueue(std::move(events));
  scheduler_->after_commits([this] {
    ready_ = true;
    executor_->start();
  });
}

Daemon::~Daemon() {
  life_->alive = false;
  executor_.reset();
  life_->missed.clear();  // they keep their pipes, which keep this life
}

void Daemon::wake_at(std::optional<Duration> since_boot) {
  const std::uint64_t mine = ++wakes_;
  if (!since_boot) return;
  const auto delay = std::max<std::int64_t>(0, (*since_boot - clock_->since_boot()).count());
  site_.world.after(static_cast<Time>(delay), life_, [this, mine] {
    if (mine == wakes_) scheduler_->wake();
  });
}

void Daemon::submit(const std::string& workflow) {
  engine::SubmitRun event;
  const std::string id = fmt::format("r{}-{}", incarnation_, site_.world.now());
  event.id = id;
  event.workflow = site_.workflows.at(workflow);
  event.bundle_hash = workflow;
  event.working_dir = "/";
  if (!event.workflow->params.empty()) event.params["p"] = 0;
  scheduler_->request(
      std::move(event),
      [this, id](service::RequestAnswer answer) {
        if (!answer) return refused(id, answer.error());
        const RunKey run = std::get<engine::Reply::RunAccepted>(*answer).run;
        site_.world.say("run {} accepted", run.value());
        site_.model.accepted(run);
      },
      {}, store::Batch::Bundle{.hash = workflow, .contents = "{}"});
}

// A full disk refuses what has left no trace. Any other error is of a daemon that ends.
void Daemon::refused(const std::string& id, const Error& error) {
  if (error.code != ErrorCode::disk_full) return;
  site_.world.say("{} is refused", id);
  site_.model.refused(id);
}

void Daemon::cancel(RunKey run) {
  engine::CancelRun event;
  event.run = run;
  scheduler_->request(std::move(event), [this, run](const service::RequestAnswer& answer) {
    if (!answer) return;
    site_.world.say("cancel of run {} answered", run.value());
    site_.model.cancel_answered(run);
  });
}

void Daemon::retry(RunKey run, std::optional<std::int64_t> param) {
  scheduler_->after_commits([this, run, param] {
    auto snapshot = store_->snapshot(run);
    if (!snapshot) return;
    engine::RetryRun event;
    event.run = run;
    if (param && !site_.workflows.at(snapshot->created.workflow)->params.empty()) {
      event.params = Value::object({{"p", *param}});
    }
    std::vector<engine::Event> before;
    if (!scheduler_->engine().is_active(run)) {
      auto workflow = site_.workflows.at(snapshot->created.workflow);
      if (auto fits = engine::check_snapshot(*snapshot, *workflow); !fits) {
        throw Violation{"P9 retry", fits.error().message};
      }
      before.emplace_back(engine::RunRestored{.snapshot = std::move(*snapshot), .workflow = std::move(workflow)});
    }
    scheduler_->request(std::move(event), [](const service::RequestAnswer&) {}, std::move(before));
  });
}

void Daemon::decide(InstanceKey key, bool approve) {
  engine::DecideApproval event;
  event.key = key;
  event.approve = approve;
  scheduler_->request(std::move(event), [](const service::RequestAnswer&) {});
}

}  // namespace baton::sim
