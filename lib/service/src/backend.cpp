#include <baton/service/backend.hpp>

#include "backend_parts.hpp"

namespace baton::service {
namespace {

class ServiceBackend final : public api::Backend {
 public:
  explicit ServiceBackend(BackendPorts ports) : ports_(std::move(ports)) {}

  void info(api::Done<api::DaemonInfo> done) override { condition_.info(std::move(done)); }
  void submit(api::SubmitRequest request, api::Done<views::RunView> done) override {
    submissions_.submit(std::move(request), std::move(done));
  }
  void runs(api::RunQuery query, api::Done<views::Page<views::RunView>> done) override {
    questions_.runs(std::move(query), std::move(done));
  }
  void run(std::string reference, api::Done<views::RunView> done) override {
    questions_.run(std::move(reference), std::move(done));
  }
  void tasks(api::TaskQuery query, api::Done<views::Page<views::TaskView>> done) override {
    questions_.tasks(std::move(query), std::move(done));
  }
  void workflow_source(std::string reference, api::Done<api::SubmitRequest> done) override {
    questions_.workflow_source(std::move(reference), std::move(done));
  }
  void why(std::string reference, std::string task, api::Done<std::string> done) override {
    questions_.why(std::move(reference), std::move(task), std::move(done));
  }
  void cancel(std::string reference, std::string reason, api::Done<views::RunView> done) override {
    changes_.cancel(std::move(reference), std::move(reason), std::move(done));
  }
  void retry(api::RetryRequest request, api::Done<api::RetryReply> done) override {
    changes_.retry(std::move(request), std::move(done));
  }
  void decide(api::DecideRequest request, api::Done<views::RunView> done) override {
    changes_.decide(std::move(request), std::move(done));
  }
  void events(api::EventQuery query, api::Done<std::shared_ptr<api::EventSource>> done) override {
    questions_.events(std::move(query), std::move(done));
  }
  void logs(std::string reference, std::string task, bool failed_only, std::uint32_t attempt,
            api::Done<std::vector<api::LogEntry>> done) override {
    questions_.logs(std::move(reference), std::move(task), failed_only, attempt, std::move(done));
  }
  void log(api::LogQuery query, api::Done<std::shared_ptr<api::ByteSource>> done) override {
    questions_.log(std::move(query), std::move(done));
  }
  void workers(api::Done<std::vector<views::WorkerView>> done) override { condition_.workers(std::move(done)); }
  void doctor(api::Done<std::vector<api::Check>> done) override { condition_.doctor(std::move(done)); }
  void reload(api::Done<std::vector<std::string>> done) override {
    ports_.post([this, done = std::move(done)] {
      auto notices = ports_.reload();
      if (!notices) return done(std::unexpected(api::Problem{notices.error(), {}}));
      done(*std::move(notices));
    });
  }
  void shutdown(api::Done<bool> done) override {
    ports_.post([this, done = std::move(done)] {
      done(true);
      ports_.shut_down();
    });
  }

 private:
  BackendPorts ports_;
  Submissions submissions_{ports_};
  Changes changes_{ports_};
  Questions questions_{ports_};
  Condition condition_{ports_};
};

}  // namespace

std::unique_ptr<api::Backend> make_backend(BackendPorts ports) {
  return std::make_unique<ServiceBackend>(std::move(ports));
}

}  // namespace baton::service
