#include "backend_parts.hpp"

#include <baton/base/limits.hpp>
#include <baton/base/quantity.hpp>
#include <baton/base/text.hpp>
#include <baton/service/state_dir.hpp>

#include <utility>

namespace baton::service {
namespace {

Result<> check_request(const api::SubmitRequest& request) {
  if (!request.files.contains(request.entry)) {
    return fail(ErrorCode::invalid_argument, "the request's files do not contain its entry");
  }
  if (!request.working_dir.starts_with('/') || request.working_dir.find('\0') != std::string::npos) {
    return fail(ErrorCode::invalid_argument, "working_dir must be an absolute path");
  }
  if (!request.request_key.empty() && !is_id(request.request_key)) {
    return fail(ErrorCode::invalid_argument, "the Idempotency-Key must match [A-Za-z0-9_.-]{{1,64}}");
  }
  if (!request.params.is_object()) return fail(ErrorCode::invalid_argument, "params must be an object");
  if (request.labels.size() > limits::kLabels) {
    return fail(ErrorCode::limit, "a submission has at most {} labels", limits::kLabels);
  }
  for (const auto& [name, value] : request.labels) {
    if (!is_name(name) || value.size() > limits::kLabelBytes) {
      return fail(ErrorCode::invalid_argument, "label `{}` is not valid", escape_control(name));
    }
  }
  return {};
}

template <class T>
std::unexpected<api::Problem> problem(const Result<T>& result) {
  return std::unexpected(api::Problem{.error = result.error(), .diagnostics = {}});
}

std::unexpected<api::Problem> problem(Error error) {
  return std::unexpected(api::Problem{.error = std::move(error), .diagnostics = {}});
}

}  // namespace

Result<> check_space(const std::string& state_dir, store::Health health) {
  if (health == store::Health::low_on_space || health == store::Health::out_of_space) {
    return fail(ErrorCode::disk_full, "the disk of {} is full; new runs are refused until there is room", state_dir);
  }
  const Result<std::uint64_t> free = free_bytes(state_dir);
  if (!free) return std::unexpected(free.error());
  if (*free >= kReservedBytes) return {};
  return fail(ErrorCode::disk_full, "only {} are left on the disk of {}; new runs need {}",
              format_bytes(static_cast<std::int64_t>(*free)), state_dir,
              format_bytes(static_cast<std::int64_t>(kReservedBytes)));
}

struct Submissions::Job {
  api::SubmitRequest request;
  workflow::Bundle files;
  api::Done<views::RunView> done;
  Result<store::Batch::Bundle> bundle;
  workflow::ParseResult parsed;
  Result<Value> params;
  std::optional<store::Queries::Requested> earlier;  // the run that its key has made already

  // Did it ask for that run? What a retry may have changed is not looked at.
  [[nodiscard]] bool asks_for_the_same() const {
    if (bundle->hash != earlier->bundle_hash || request.working_dir != earlier->working_dir) return false;
    if (!parsed.workflow) return true;  // the same files, which were valid to the version before
    const views::RunView& run = earlier->run;
    auto labels = request.labels;
    labels.insert(parsed.workflow->labels.begin(), parsed.workflow->labels.end());
    const int priority = request.priority.value_or(parsed.workflow->priority.value_or(0));
    return labels == run.labels && priority == run.priority && (earlier->retried || (params && *params == run.params));
  }
};

void Submissions::submit(api::SubmitRequest request, api::Done<views::RunView> done) {
  auto job = std::make_shared<Job>();
  job->done = std::move(done);
  const std::string key = request.request_key;
  Result<> checked = check_request(request);
  if (!checked) {
    ports_.post([this, job, checked] { finish(job, problem(checked)); });
    return;
  }
  job->files = {.entry = request.entry, .files = std::exchange(request.files, {})};
  job->request = std::move(request);
  if (key.empty()) return encode(std::move(job));
  const auto [waiting, first] = keys_.try_emplace(key);
  if (!first) {
    waiting->second.push_back(std::move(job));
    return;
  }
  look_up_key(std::move(job));
}

void Submissions::look_up_key(std::shared_ptr<Job> job) {
  ports_.store->ask<std::optional<store::Queries::Requested>>(
      [key = job->request.request_key](store::Queries& queries) { return queries.by_request_key(key); },
      [this, job](Result<std::optional<store::Queries::Requested>> found) {
        if (!found) return finish(job, problem(found));
        job->earlier = std::move(*found);
        encode(job);
      });
}

// The hash first: a workflow that is in use already needs no parsing.
void Submissions::encode(std::shared_ptr<Job> job) {
  const Result<> space =
      job->earlier ? Result<>() : check_space(ports_.state_dir, ports_.scheduler->health());  // nothing is written
  if (!space) {
    ports_.post([this, job, space] { finish(job, problem(space)); });
    return;
  }
  in_background(std::move(job), [](Job& it) { it.bundle = encode_bundle(it.files); }, &Submissions::on_encoded);
}

void Submissions::on_encoded(std::shared_ptr<Job> job) {
  if (!job->bundle) return finish(job, problem(job->bundle));
  job->parsed.workflow = ports_.workflows->find(job->bundle->hash, "");
  const auto read = [](Job& it) {
    if (!it.parsed.workflow) it.parsed = workflow::parse_bundle(it.files);
    if (it.parsed.workflow) it.params = workflow::bind_params(*it.parsed.workflow, it.request.params);
  };
  in_background(std::move(job), read, &Submissions::decide);
}

// `work` away from the loop, then `next` on it.
void Submissions::in_background(std::shared_ptr<Job> job, void (*work)(Job&),
                                void (Submissions::*next)(std::shared_ptr<Job>)) {
  const auto fail_with = [this, job](Error error) {
    ports_.post([this, job, error = std::move(error)] { finish(job, problem(error)); });
  };
  const bool taken = ports_.background->run(
      [this, job, work, next] {
        work(*job);
        ports_.post([this, job, next] { (this->*next)(job); });
      },
      fail_with);
  if (!taken) fail_with({ErrorCode::limit, "too many workflows are waiting to be read, try again"});
}

void Submissions::decide(std::shared_ptr<Job> job) {
  if (job->earlier) {
    if (job->asks_for_the_same()) return finish(job, std::move(job->earlier->run));
    return finish(job,
                  problem({ErrorCode::conflict, fmt::format("the Idempotency-Key {} has made run {} of another request",
                                                            job->request.request_key, job->earlier->run.id)}));
  }
  if (!job->parsed.workflow) {
    return finish(job, std::unexpected(api::Problem{.error = {ErrorCode::invalid_workflow, "the workflow is not valid"},
                                                    .diagnostics = std::move(job->parsed.diagnostics)}));
  }
  ports_.workflows->insert(job->bundle->hash, "", job->parsed.workflow);
  if (!job->params) return finish(job, problem(job->params));

  engine::SubmitRun event;
  event.id = ports_.run_ids->next(ports_.clock->now());
  event.request_key = job->request.request_key;
  event.workflow = job->parsed.workflow;
  event.bundle_hash = job->bundle->hash;
  event.working_dir = job->request.working_dir;
  event.params = std::move(*job->params);
  event.labels = job->request.labels;
  event.priority = job->request.priority;
  ports_.scheduler->request(
      std::move(event),
      [this, job](RequestAnswer answer) {
        if (!answer) return finish(job, problem(answer));
        const auto& accepted = std::get<engine::Reply::RunAccepted>(*answer);
        ports_.store->ask<views::RunView>(
            [run = accepted.run](store::Queries& queries) { return queries.run(run); },
            [this, job](Result<views::RunView> view) { finish(job, to_answer(std::move(view))); });
      },
      {}, std::move(*job->bundle));
}

void Submissions::finish(const std::shared_ptr<Job>& job, api::Answer<views::RunView> answer) {
  std::shared_ptr<Job> next;
  if (const auto waiting = keys_.find(job->request.request_key); waiting != keys_.end()) {
    if (waiting->second.empty()) {
      keys_.erase(waiting);
    } else {
      next = std::move(waiting->second.front());
      waiting->second.pop_front();
    }
  }
  job->done(std::move(answer));
  if (next) look_up_key(std::move(next));
}

}  // namespace baton::service
