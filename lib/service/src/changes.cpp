#include "backend_parts.hpp"

#include <baton/engine/snapshot_check.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace baton::service {
namespace {

std::unexpected<api::Problem> problem(Error error) {
  return std::unexpected(api::Problem{.error = std::move(error), .diagnostics = {}});
}

// The one instance that waits for approval.
Result<InstanceKey> find_waiting(store::Queries& queries, const std::string& reference, const std::string& task) {
  const Result<RunKey> run = queries.resolve(reference);
  if (!run) return std::unexpected(run.error());
  const auto waiting = queries.tasks(*run, task, "awaiting_approval", "", 5);
  if (!waiting) return std::unexpected(waiting.error());
  if (waiting->items.empty()) {
    return fail(ErrorCode::conflict, "{}{} does not wait for approval", task.empty() ? "run " : "task ",
                task.empty() ? reference : task);
  }
  if (waiting->items.size() > 1 || !waiting->next_cursor.empty()) {
    return fail(ErrorCode::conflict, "several tasks wait for approval, name one of them: {}, {}",
                waiting->items[0].name, waiting->items.size() > 1 ? waiting->items[1].name : "…");
  }
  return InstanceKey{.run = *run, .task = waiting->items[0].task_index, .index = waiting->items[0].instance};
}

std::string no_task(const std::string& name) {
  const bool is_instance = name.find('[') != std::string::npos;
  return fmt::format("the run has no task {}{}", name,
                     is_instance ? "; `from` takes a task, not one of its instances" : "");
}

}  // namespace

void Changes::answer_with_run(RunKey run, api::Done<views::RunView> done) {
  answer_from_store<views::RunView>(
      *ports_.store, [run](store::Queries& queries) { return queries.run(run); }, std::move(done));
}

void Changes::cancel(std::string reference, std::string reason, api::Done<views::RunView> done) {
  ports_.store->ask<RunKey>([reference](store::Queries& queries) { return queries.resolve(reference); },
                            [this, reason = std::move(reason), done = std::move(done)](Result<RunKey> run) {
                              if (!run) return done(problem(run.error()));
                              ports_.scheduler->request(engine::CancelRun{.token = 0, .run = *run, .reason = reason},
                                                        [this, run = *run, done](RequestAnswer answer) {
                                                          if (!answer) return done(problem(answer.error()));
                                                          answer_with_run(run, done);
                                                        });
                            });
}

void Changes::decide(api::DecideRequest request, api::Done<views::RunView> done) {
  ports_.store->ask<InstanceKey>(
      [run = request.run, task = request.task](store::Queries& queries) { return find_waiting(queries, run, task); },
      [this, request, done = std::move(done)](Result<InstanceKey> key) {
        if (!key) return done(problem(key.error()));
        ports_.scheduler->request(
            engine::DecideApproval{.token = 0, .key = *key, .approve = request.approve, .comment = request.comment},
            [this, run = key->run, done](RequestAnswer answer) {
              if (!answer) return done(problem(answer.error()));
              answer_with_run(run, done);
            });
      });
}

struct Changes::Retry {
  api::RetryRequest request;
  api::Done<api::RetryReply> done;
  RunKey run;
  bool entered = false;  // its run is in retrying_
  engine::RunSnapshot snapshot;
  std::string contents;  // the bundle's
  std::shared_ptr<const workflow::WorkflowSpec> workflow;
  std::optional<Value> params;  // changed ones over the run's, bound; nullopt: none was changed
};

void Changes::retry(api::RetryRequest request, api::Done<api::RetryReply> done) {
  auto retry = std::make_shared<Retry>();
  retry->request = std::move(request);
  retry->done = std::move(done);
  if (!retry->request.params.is_object()) {
    return finish_retry(retry, problem({ErrorCode::invalid_argument, "params must be an object"}));
  }
  ports_.store->ask<RunKey>(
      [reference = retry->request.run](store::Queries& queries) { return queries.resolve(reference); },
      [this, retry](Result<RunKey> run) {
        if (!run) return finish_retry(retry, problem(run.error()));
        retry->run = *run;
        // One at a time: between reading a run that ended and restoring it nobody else may do the same.
        if (!retrying_.insert(*run).second) {
          return finish_retry(retry, problem({ErrorCode::conflict, "the run is being retried already"}));
        }
        retry->entered = true;
        if (!retry->request.dry_run) {
          if (Result<> space = check_space(ports_.state_dir, ports_.scheduler->health()); !space) {
            return finish_retry(retry, problem(space.error()));
          }
        }
        // What the engine has decided about the run must be in the database before it is read.
        ports_.scheduler->when_committed([this, retry](const Result<>& committed) {
          if (!committed) return finish_retry(retry, problem(committed.error()));
          load_retry(retry);
        });
      });
}

void Changes::load_retry(std::shared_ptr<Retry> retry) {
  struct Loaded {
    engine::RunSnapshot snapshot;
    std::string contents;
  };
  ports_.store->ask<Loaded>(
      [run = retry->run](store::Queries& queries) -> Result<Loaded> {
        Result<engine::RunSnapshot> snapshot = queries.snapshot(run);
        if (!snapshot) return std::unexpected(snapshot.error());
        Result<std::string> contents = queries.bundle(snapshot->created.bundle_hash);
        if (!contents) return std::unexpected(contents.error());
        return Loaded{.snapshot = std::move(*snapshot), .contents = std::move(*contents)};
      },
      [this, retry](Result<Loaded> loaded) {
        if (!loaded) return finish_retry(retry, problem(loaded.error()));
        retry->snapshot = std::move(loaded->snapshot);
        retry->contents = std::move(loaded->contents);
        prepare_retry(retry);
      });
}

void Changes::prepare_retry(std::shared_ptr<Retry> retry) {
  const engine::RunCreated& created = retry->snapshot.created;
  retry->workflow = ports_.workflows->find(created.bundle_hash, created.used_path);
  if (retry->workflow && retry->request.params.empty()) return apply_retry(retry);
  const auto then = [this, retry](const Result<>& prepared) {
    ports_.post([this, retry, prepared] {
      if (!prepared) return finish_retry(retry, problem(prepared.error()));
      const engine::RunCreated& of = retry->snapshot.created;
      ports_.workflows->insert(of.bundle_hash, of.used_path, retry->workflow);
      apply_retry(retry);
    });
  };
  const bool taken = ports_.background->run([retry, then] { then(prepare(*retry)); },
                                            [then](Error error) { then(std::unexpected(std::move(error))); });
  if (!taken) {
    finish_retry(retry, problem({ErrorCode::limit, "too many workflows are waiting to be read, try again"}));
  }
}

// Away from the loop.
Result<> Changes::prepare(Retry& retry) {
  if (!retry.workflow) {
    auto parsed = parse_stored(retry.contents, retry.snapshot.created.used_path);
    if (!parsed) return std::unexpected(parsed.error());
    retry.workflow = std::move(*parsed);
  }
  if (retry.request.params.empty()) return {};
  Value params = retry.snapshot.state.params;
  params.update(retry.request.params);
  Result<Value> bound = workflow::bind_params(*retry.workflow, params);
  if (!bound) return std::unexpected(bound.error());
  retry.params = std::move(*bound);
  return {};
}

void Changes::apply_retry(const std::shared_ptr<Retry>& retry) {
  engine::RetryRun event;
  event.run = retry->run;
  event.dry_run = retry->request.dry_run;
  if (!retry->request.from.empty()) {
    event.from = retry->workflow->find(retry->request.from);
    if (!event.from) {
      return finish_retry(retry, problem({ErrorCode::not_found, no_task(retry->request.from)}));
    }
  }
  event.params = std::move(retry->params);
  std::vector<engine::Event> before;
  if (!ports_.scheduler->engine().is_active(retry->run)) {
    // It ended only since it was read, or it is left alone.
    if (!engine::is_final(retry->snapshot.state.state)) {
      return finish_retry(retry, problem({ErrorCode::conflict, "the run has not ended yet"}));
    }
    if (Result<> fits = engine::check_snapshot(retry->snapshot, *retry->workflow); !fits) {
      return finish_retry(retry, problem(fits.error()));
    }
    ports_.feed->add_child(retry->snapshot.created.id, retry->snapshot.created.parent_id);
    before.emplace_back(engine::RunRestored{.snapshot = std::move(retry->snapshot), .workflow = retry->workflow});
  }
  ports_.scheduler->request(
      std::move(event),
      [this, retry](RequestAnswer answer) {
        if (!answer) return finish_retry(retry, problem(answer.error()));
        std::vector<std::string> instances = std::get<engine::Reply::Done>(*answer).instances;
        ports_.store->ask<views::RunView>(
            [run = retry->run](store::Queries& queries) { return queries.run(run); },
            [this, retry, instances = std::move(instances)](Result<views::RunView> view) {
              if (!view) return finish_retry(retry, problem(view.error()));
              finish_retry(retry, api::RetryReply{.run = std::move(*view), .instances = instances});
            });
      },
      std::move(before));
}

void Changes::finish_retry(const std::shared_ptr<Retry>& retry, api::Answer<api::RetryReply> answer) {
  if (retry->entered) retrying_.erase(retry->run);
  retry->done(std::move(answer));
}

}  // namespace baton::service
