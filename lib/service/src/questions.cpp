#include "backend_parts.hpp"

#include <baton/service/event_stream.hpp>
#include <baton/service/log_stream.hpp>

#include <fmt/format.h>
#include <algorithm>

namespace baton::service {
namespace {

constexpr std::size_t kWhyTasks = 20;
constexpr std::size_t kLogEntries = 1'000;

std::unexpected<api::Problem> problem(Error error) {
  return std::unexpected(api::Problem{.error = std::move(error), .diagnostics = {}});
}

bool is_final_state(const std::string& state) {
  return state == "succeeded" || state == "failed" || state == "skipped" || state == "upstream_failed" ||
         state == "cancelled";
}

struct ResolvedRun {
  RunKey key;
  views::RunView view;
};
Result<ResolvedRun> resolve(store::Queries& queries, const std::string& reference) {
  const Result<RunKey> key = queries.resolve(reference);
  if (!key) return std::unexpected(key.error());
  Result<views::RunView> view = queries.run(*key);
  if (!view) return std::unexpected(view.error());
  return ResolvedRun{.key = *key, .view = std::move(*view)};
}

struct WhyFacts {
  views::RunView run;
  std::vector<views::TaskView> tasks;
  bool one = false;  // a task was named
};

Result<WhyFacts> why_facts(store::Queries& queries, const std::string& reference, const std::string& task) {
  Result<ResolvedRun> run = resolve(queries, reference);
  if (!run) return std::unexpected(run.error());
  WhyFacts facts{.run = std::move(run->view), .tasks = {}, .one = !task.empty()};
  // Running and ended instances first would hide those that wait, so each waiting state is asked for.
  for (const char* state : {"ready", "backoff", "awaiting_approval", "starting", "unreachable", "waiting"}) {
    if (facts.one || facts.tasks.size() >= kWhyTasks) break;
    auto page = queries.tasks(run->key, "", state, "", kWhyTasks - facts.tasks.size());
    if (!page) return std::unexpected(page.error());
    std::ranges::move(page->items, std::back_inserter(facts.tasks));
  }
  if (facts.one) {
    auto page = queries.tasks(run->key, task, "", "", kWhyTasks);
    if (!page) return std::unexpected(page.error());
    if (page->items.empty()) return fail(ErrorCode::not_found, "run {} has no task {}", facts.run.id, task);
    facts.tasks = std::move(page->items);
  }
  return facts;
}

std::string why_not(const engine::Engine& engine, const views::RunView& run, const views::TaskView& task) {
  std::string why = engine.why({.run = run.key, .task = task.task_index, .index = task.instance});
  if (!why.empty()) return why;
  if (is_final_state(task.state)) {
    return task.reason.empty() ? fmt::format("it has ended: {}", task.state)
                               : fmt::format("it has ended: {} ({})", task.state, task.reason);
  }
  return fmt::format("it is {}", task.state);
}

}  // namespace

void Questions::runs(api::RunQuery query, api::Done<views::Page<views::RunView>> done) {
  using Page = views::Page<views::RunView>;
  answer_from_store<Page>(
      *ports_.store,
      [query = std::move(query)](store::Queries& queries) -> Result<Page> {
        store::RunFilter filter{.workflow = query.workflow,
                                .states = query.states,
                                .parent = query.parent,
                                .include_children = query.include_children};
        return queries.runs(filter, query.cursor, query.limit);
      },
      std::move(done));
}

void Questions::run(std::string reference, api::Done<views::RunView> done) {
  answer_from_store<views::RunView>(
      *ports_.store,
      [reference = std::move(reference)](store::Queries& queries) -> Result<views::RunView> {
        Result<ResolvedRun> run = resolve(queries, reference);
        if (!run) return std::unexpected(run.error());
        return std::move(run->view);
      },
      std::move(done));
}

void Questions::tasks(api::TaskQuery query, api::Done<views::Page<views::TaskView>> done) {
  using Page = views::Page<views::TaskView>;
  answer_from_store<Page>(
      *ports_.store,
      [query = std::move(query)](store::Queries& queries) -> Result<Page> {
        const Result<RunKey> run = queries.resolve(query.run);
        if (!run) return std::unexpected(run.error());
        return queries.tasks(*run, query.task, query.state, query.cursor, query.limit);
      },
      std::move(done));
}

void Questions::workflow_source(std::string reference, api::Done<api::SubmitRequest> done) {
  answer_from_store<api::SubmitRequest>(
      *ports_.store,
      [reference = std::move(reference)](store::Queries& queries) -> Result<api::SubmitRequest> {
        const Result<RunKey> run = queries.resolve(reference);
        if (!run) return std::unexpected(run.error());
        const auto stored = queries.source(*run);
        if (!stored) return std::unexpected(stored.error());
        const Result<std::string> contents = queries.bundle(stored->bundle_hash);
        if (!contents) return std::unexpected(contents.error());
        Result<workflow::Bundle> bundle = decode_bundle(*contents);
        if (!bundle) return std::unexpected(bundle.error());
        api::SubmitRequest source;
        source.entry = stored->used_path.empty() ? bundle->entry : stored->used_path;
        source.files = std::move(bundle->files);
        return source;
      },
      std::move(done));
}

void Questions::why(std::string reference, std::string task, api::Done<std::string> done) {
  ports_.store->ask<WhyFacts>([reference = std::move(reference), task = std::move(task)](
                                  store::Queries& queries) { return why_facts(queries, reference, task); },
                              [this, done = std::move(done)](Result<WhyFacts> facts) {
                                if (!facts) return done(problem(facts.error()));
                                const engine::Engine& engine = ports_.scheduler->engine();
                                std::string text;
                                for (const views::TaskView& each : facts->tasks) {
                                  text += fmt::format("{}: {}\n", each.name, why_not(engine, facts->run, each));
                                }
                                if (text.empty())
                                  text = fmt::format("nothing waits: the run is {}\n", facts->run.state);
                                text.pop_back();
                                done(std::move(text));
                              });
}

void Questions::logs(std::string reference, std::string task, bool failed_only, std::uint32_t attempt,
                     api::Done<std::vector<api::LogEntry>> done) {
  using Entries = std::vector<api::LogEntry>;
  answer_from_store<Entries>(
      *ports_.store,
      [=](store::Queries& queries) -> Result<Entries> {
        const Result<RunKey> run = queries.resolve(reference);
        if (!run) return std::unexpected(run.error());
        const auto sources = queries.logs(*run, task, attempt, failed_only, kLogEntries);
        if (!sources) return std::unexpected(sources.error());
        Entries entries;
        entries.reserve(sources->size());
        for (const store::LogSource& source : *sources) {
          entries.push_back(
              {.task = source.task_name, .attempt = source.attempt, .state = source.state, .ended = source.ended});
        }
        return entries;
      },
      std::move(done));
}

void Questions::events(api::EventQuery query, api::Done<std::shared_ptr<api::EventSource>> done) {
  if (query.run.empty()) {
    ports_.post([this, query = std::move(query), done = std::move(done)] {
      done(open_event_stream(*ports_.store, *ports_.feed, ports_.post,
                             {.run = std::nullopt,
                              .run_id = "",
                              .after = query.after,
                              .tail = query.tail,
                              .follow = query.follow,
                              .is_active = {}}));
    });
    return;
  }
  ports_.store->ask<ResolvedRun>(
      [reference = query.run](store::Queries& queries) { return resolve(queries, reference); },
      [this, query, done = std::move(done)](Result<ResolvedRun> run) {
        if (!run) return done(problem(run.error()));
        // Nothing more comes of a run that has ended: its stream ends where it is.
        const bool over = is_final_state(run->view.state) && !ports_.scheduler->engine().is_active(run->key);
        done(
            open_event_stream(*ports_.store, *ports_.feed, ports_.post,
                              {.run = run->key,
                               .run_id = run->view.id,
                               .after = query.after,
                               .tail = query.tail,
                               .follow = query.follow && !over,
                               .is_active = [this](RunKey key) { return ports_.scheduler->engine().is_active(key); }}));
      });
}

void Questions::log(api::LogQuery query, api::Done<std::shared_ptr<api::ByteSource>> done) {
  ports_.store->ask<ResolvedRun>(
      [reference = query.run](store::Queries& queries) { return resolve(queries, reference); },
      [this, query, done = std::move(done)](Result<ResolvedRun> run) {
        if (!run) return done(problem(run.error()));
        done(open_log_stream({.store = ports_.store,
                              .executor = ports_.executor,
                              .feed = ports_.feed,
                              .post = ports_.post,
                              .after = ports_.after},
                             {.run = run->key,
                              .run_id = run->view.id,
                              .task = query.task,
                              .attempt = query.attempt,
                              .tail = query.tail,
                              .follow = query.follow},
                             Masker(ports_.secrets->values())));
      });
}

}  // namespace baton::service
