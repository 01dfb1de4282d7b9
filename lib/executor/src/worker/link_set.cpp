#include "worker/link_set.hpp"

#include "worker/translate.hpp"

#include <algorithm>
#include <utility>

namespace baton::executor {

LinkSet::LinkSet(std::unique_ptr<LinkPorts> ports, WorkerExecutorOptions options, const EventSink& sink)
    : ports_(std::move(ports)) {
  std::vector<LinkOptions> links = std::move(options.links);
  for (LinkOptions& link : links) links_.push_back(std::make_shared<Link>(*ports_, options, std::move(link), sink));
}

LinkSet::~LinkSet() {
  for (const auto& link : links_) link->stop();
}

void LinkSet::start() {
  for (const auto& link : links_) link->start();
}

void LinkSet::launch(engine::Launch launch) {
  if (Link* link = find(launch.worker)) link->send(to_wire(std::move(launch)));
}
void LinkSet::kill(const engine::Kill& kill) {
  if (Link* link = find(kill.worker)) link->send(to_wire(kill));
}
void LinkSet::forget(const engine::Forget& forget) {
  if (Link* link = find(forget.worker)) link->send(wire::Forget{.attempts = {forget.attempt}});
}

void LinkSet::read_log(WorkerId worker, engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                       std::function<void(Result<LogChunk>)> done) {
  if (Link* link = find(worker)) return link->read_log(place, max_bytes, from_end, std::move(done));
  ports_->post([done = std::move(done)] { done(fail(ErrorCode::not_found, "no such worker")); });
}

void LinkSet::remember_boot(WorkerId worker) {
  if (Link* link = find(worker)) link->remember_boot();
}

void LinkSet::pause(bool paused) {
  for (const auto& link : links_) link->pause(paused);
}

std::vector<WorkerStatus> LinkSet::workers() const {
  std::vector<WorkerStatus> all;
  all.reserve(links_.size());
  for (const auto& link : links_) all.push_back(link->status());
  return all;
}

Link* LinkSet::find(WorkerId id) {
  const auto found = std::ranges::find(links_, id, [](const auto& link) { return link->status().id; });
  return found == links_.end() ? nullptr : found->get();
}

std::string_view to_string(WorkerState state) {
  switch (state) {
    case WorkerState::connecting:
      return "connecting";
    case WorkerState::online:
      return "online";
    case WorkerState::offline:
      return "offline";
  }
  return "offline";
}

}  // namespace baton::executor
