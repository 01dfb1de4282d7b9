#include <baton/service/scheduler.hpp>

#include <baton/base/limits.hpp>
#include <baton/base/mutation.hpp>
#include <baton/service/secrets.hpp>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace baton::service {
namespace {

constexpr Duration kClockStep = std::chrono::seconds(1);  // less is the clock's own business: it is steered, not set
constexpr std::size_t kPauseAt = limits::kEventQueue / 2;
constexpr std::size_t kResumeAt = limits::kEventQueue / 8;

// Why nothing can be changed now; nullopt: it can.
std::optional<Error> refusal_for(store::Health health) {
  switch (health) {
    case store::Health::good:
    case store::Health::low_on_space:
      return std::nullopt;
    case store::Health::out_of_space:
      return Error{ErrorCode::disk_full,
                   "the disk is full: nothing can be changed until there is room; nothing was changed"};
    case store::Health::locked:
      return Error{
          ErrorCode::locked,
          "another process has locked the database: nothing can be changed until it is free; nothing was changed"};
  }
  return std::nullopt;
}

// Deliberate defects for the simulator: what may not wait for its commit.
bool too_early([[maybe_unused]] const engine::Effect& effect) {
  return (mutated(Mutation::launch_before_commit) && std::holds_alternative<engine::Launch>(effect)) ||
         (mutated(Mutation::forget_before_commit) && std::holds_alternative<engine::Forget>(effect)) ||
         (mutated(Mutation::answer_before_commit) && std::holds_alternative<engine::Reply>(effect));
}

template <class T>
concept Request = requires(T& request) { request.token; };

}  // namespace

Scheduler::Scheduler(engine::Engine engine, SchedulerPorts ports)
    : engine_(std::move(engine)),
      ports_(std::move(ports)),
      booted_at_(ports_.clock->now() - ports_.clock->since_boot()) {}

void Scheduler::enqueue(std::vector<engine::Event> events) {
  if (stopped_) return;
  mask(events);
  for (engine::Event& event : events) {
    if (auto* ended = std::get_if<engine::AttemptEnded>(&event)) explain_without_secret(*ended);
    events_.push_back(std::move(event));
  }
  throttle();
  plan_turn();
}

// Here, and not at the worker: a session that came up anew does not know what the one before had been given, and a task
// may have come by a secret that it was not given.
void Scheduler::mask(std::vector<engine::Event>& events) const {
  std::optional<std::vector<std::string>> values;
  for (engine::Event& event : events) {
    auto* ended = std::get_if<engine::AttemptEnded>(&event);
    if (ended == nullptr || (ended->message.empty() && ended->outputs.empty())) continue;
    if (!values) values = ports_.masked_values();
    if (values->empty()) return;
    ended->message = masked(ended->message, *values);
    for (auto& [name, output] : ended->outputs) output = masked(output, *values);
  }
}

void Scheduler::explain_without_secret(engine::AttemptEnded& ended) {
  const auto found = without_secret_.find(ended.attempt);
  if (found == without_secret_.end()) return;
  if (ended.failure.kind == workflow::FailureKind::cancelled && !ended.started_at) {
    ended.failure = {.kind = workflow::FailureKind::spawn_error, .detail = 0};
    ended.message = std::move(found->second);
  }
  without_secret_.erase(found);
}

void Scheduler::request(engine::Event request, OnAnswer answer, std::vector<engine::Event> before,
                        std::optional<store::Batch::Bundle> bundle) {
  std::optional<Error> refusal = refusal_for(health_);
  if (stopped_) {
    refusal = Error{ErrorCode::unavailable, "the daemon is ending"};
  } else if (!refusal && events_.size() + requests_.size() >= limits::kEventQueue) {
    refusal = Error{ErrorCode::limit, "the daemon has too much to do, try again"};
  }
  if (refusal) {
    ports_.post([answer = std::move(answer), error = std::move(*refusal)] { answer(std::unexpected(error)); });
    return;
  }
  requests_.push_back({std::move(before), std::move(request), std::move(answer), std::move(bundle)});
  plan_turn();
}

// From here on the engine knows them.
std::vector<store::Batch::Bundle> Scheduler::take_requests(std::vector<engine::Event>& events) {
  std::vector<store::Batch::Bundle> bundles;
  for (PendingRequest& pending : std::exchange(requests_, {})) {
    const std::uint64_t token = next_token_++;
    std::visit(
        [token](auto& event) {
          if constexpr (Request<std::remove_reference_t<decltype(event)>>) event.token = token;
        },
        pending.request);
    answers_.emplace(token, std::move(pending.answer));
    std::ranges::move(pending.before, std::back_inserter(events));
    events.push_back(std::move(pending.request));
    if (pending.bundle) bundles.push_back(std::move(*pending.bundle));
  }
  return bundles;
}

void Scheduler::on_health(store::Health health) {
  health_ = health;
  const std::optional<Error> refusal = refusal_for(health);
  if (!refusal) return;
  for (PendingRequest& pending : std::exchange(requests_, {})) pending.answer(std::unexpected(*refusal));
  refuse(then_, *refusal);
  for (Held& held : held_) refuse(held.then, *refusal);
}

void Scheduler::after_commits(std::function<void()> then) {
  then_.push_back({[then = std::move(then)](const Result<>&) { then(); }});
  plan_turn();
}

void Scheduler::when_committed(std::function<void(Result<>)> then) {
  if (std::optional<Error> refusal = refusal_for(health_)) {
    return ports_.post([then = std::move(then), error = std::move(*refusal)] { then(std::unexpected(error)); });
  }
  then_.push_back({std::move(then), true});
  plan_turn();
}

void Scheduler::refuse(std::vector<Waiter>& waiters, const Error& error) {
  const auto refused =
      std::ranges::stable_partition(waiters, [](const Waiter& waiter) { return !waiter.may_be_refused; });
  std::vector<Waiter> told(std::make_move_iterator(refused.begin()), std::make_move_iterator(refused.end()));
  waiters.erase(refused.begin(), refused.end());
  for (const Waiter& waiter : told) waiter.then(std::unexpected(error));
}

void Scheduler::wake() { plan_turn(); }

void Scheduler::stop() { stopped_ = true; }

void Scheduler::plan_turn() {
  if (turn_planned_ || stopped_) return;
  turn_planned_ = true;
  ports_.post([this] {
    turn_planned_ = false;
    turn();
  });
}

// A worker that talks faster than the disk commits has to wait.
void Scheduler::throttle() {
  const bool pause = paused_ ? events_.size() > kResumeAt : events_.size() > kPauseAt;
  if (pause == paused_) return;
  paused_ = pause;
  ports_.executor->pause(pause);
}

void Scheduler::turn() {
  if (stopped_ || commits_in_flight_ >= limits::kCommitsInFlight) return;  // on_commit plans the next one

  std::vector<engine::Event> events = std::exchange(events_, {});
  std::vector<store::Batch::Bundle> bundles = take_requests(events);
  Held held;
  held.then = std::exchange(then_, {});
  for (const engine::Event& event : events) {
    if (const auto* up = std::get_if<engine::WorkerUp>(&event)) held.workers_up.push_back(up->worker);
  }
  const TimePoint now = read_clock();
  engine::Step step = engine_.apply(events, now);
  held.effects = std::move(step.effects);
  for (const engine::Record& record : step.records) {
    if (const auto* created = std::get_if<engine::RunCreated>(&record)) ports_.run_created(*created);
  }

  if (step.records.empty() && bundles.empty()) {
    held.committed = true;
    held_.push_back(std::move(held));
    release();
  } else {
    for (const engine::Effect& effect : held.effects) {
      if (too_early(effect)) perform(Held{.effects = {effect}});
    }
    held_.push_back(std::move(held));
    ++commits_in_flight_;
    ports_.store->commit({.records = std::move(step.records), .bundles = std::move(bundles), .now = now},
                         [this](Result<store::Committed> committed) { on_commit(std::move(committed)); });
  }
  throttle();
  const std::optional<TimePoint> due = engine_.next_wakeup();
  ports_.wake_at(due ? std::optional(*due - booted_at_) : std::nullopt);
}

// A clock that is set must not make a backoff or an approval longer or shorter. Between two settings time goes on with
// the machine, so that what is due since boot is due by the engine's clock too.
TimePoint Scheduler::read_clock() {
  const Duration since_boot = ports_.clock->since_boot();
  const TimePoint booted_at = ports_.clock->now() - since_boot;
  const Duration by = booted_at - booted_at_;
  if (mutated(Mutation::wait_by_the_clock)) return ports_.clock->now();
  if (std::chrono::abs(by) >= kClockStep) {
    booted_at_ = booted_at;
    engine_.clock_stepped(by);
  }
  return booted_at_ + since_boot;
}

void Scheduler::on_commit(Result<store::Committed> committed) {
  if (stopped_) return;
  --commits_in_flight_;
  if (!committed) return fail_stop(std::move(committed.error()));
  const auto done = std::ranges::find(held_, false, &Held::committed);
  done->committed = true;
  if (!committed->events.empty()) ports_.publish(std::move(committed->events));
  release();
  plan_turn();
}

void Scheduler::release() {
  while (!held_.empty() && held_.front().committed && !stopped_) {
    Held held = std::move(held_.front());
    held_.pop_front();
    perform(std::move(held));
  }
}

void Scheduler::perform(Held held) {
  for (const WorkerId worker : held.workers_up) ports_.executor->remember_boot(worker);
  for (engine::Effect& effect : held.effects) {
    std::visit(
        [this](auto& what) {
          using T = std::remove_reference_t<decltype(what)>;
          if constexpr (std::is_same_v<T, engine::Kill>) {
            ports_.executor->kill(what);
          } else if constexpr (std::is_same_v<T, engine::Forget>) {
            ports_.executor->forget(what);
          } else {
            perform(std::move(what));
          }
        },
        effect);
  }
  for (const Waiter& waiter : held.then) waiter.then({});
}

void Scheduler::perform(engine::Launch launch) {
  for (engine::Launch::Env& entry : launch.env) {
    if (!entry.is_secret) continue;
    Result<std::string> value = ports_.secret(entry.value);
    if (!value) return refuse_without_secret(launch.attempt, launch.worker, std::move(value.error().message));
    entry.value = std::move(*value);
    entry.is_secret = false;
  }
  ports_.executor->launch(std::move(launch));
}

// The worker is told never to start it, and its answer becomes a spawn_error. Had it been started by an earlier, equal
// launch, then it is ended: either way there is one truth, the worker's.
void Scheduler::refuse_without_secret(AttemptId attempt, WorkerId worker, std::string why) {
  without_secret_.insert_or_assign(attempt, std::move(why));
  ports_.executor->kill({.worker = worker, .attempt = attempt, .reason = engine::KillReason::cancelled});
}

void Scheduler::perform(engine::Reply reply) {
  const auto found = answers_.find(reply.token);
  if (found == answers_.end()) return;
  const OnAnswer answer = std::move(found->second);
  answers_.erase(found);
  answer(std::move(reply.result));
}

void Scheduler::fail_stop(Error error) {
  stopped_ = true;
  held_.clear();
  for (auto& [token, answer] : std::exchange(answers_, {})) answer(std::unexpected(error));
  for (PendingRequest& pending : std::exchange(requests_, {})) pending.answer(std::unexpected(error));
  ports_.fatal(std::move(error));
}

}  // namespace baton::service
