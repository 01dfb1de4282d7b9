// The executor whose workers are behind links, whatever these are made of.
#pragma once
#include "worker/link.hpp"

#include <memory>
#include <vector>

namespace baton::executor {

class LinkSet final : public Executor {
 public:
  LinkSet(std::unique_ptr<LinkPorts> ports, WorkerExecutorOptions options, const EventSink& sink);
  ~LinkSet() override;

  void start() override;
  void launch(engine::Launch launch) override;
  void kill(const engine::Kill& kill) override;
  void forget(const engine::Forget& forget) override;
  void read_log(WorkerId worker, engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                std::function<void(Result<LogChunk>)> done) override;
  void remember_boot(WorkerId worker) override;
  void pause(bool paused) override;
  [[nodiscard]] std::vector<WorkerStatus> workers() const override;

 private:
  Link* find(WorkerId id);

  std::unique_ptr<LinkPorts> ports_;
  std::vector<std::shared_ptr<Link>> links_;
};

}  // namespace baton::executor
