// What handlers make of a request: its captures, query and JSON body. Input: `METHOD TARGET`, a line break, the body.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <boost/asio/io_context.hpp>

#include "../../../lib/api/src/problem.hpp"
#include "../../../lib/api/src/route.hpp"
#include "../../../lib/api/src/uri.hpp"
#include "../../unit/api/fake_backend.hpp"
#include "../target.hpp"

namespace baton::fuzz {
namespace {

// Counts the answers, which must be documents that parse.
class Recorder final : public api::Responder {
 public:
  explicit Recorder(int& answers) : answers_(answers) {}
  void send(api::Document document) override {
    ++answers_;
    holds(document.status >= 200 && document.status < 600, "a status is one");
    const auto json = api::parse_json(document.body, 2 * limits::kJsonDepth);
    holds(json.has_value() && json->is_object(), "an answer is a JSON object");
    if (document.status >= 400) holds(json->contains("code") && json->contains("detail"), "an error says what it is");
    holds(document.body.size() < (1u << 20), "an answer does not grow with the request");
  }
  void send(api::Stream stream) override {
    ++answers_;
    holds(stream.source != nullptr, "a stream has a source");
  }

 private:
  int& answers_;
};

void check_submit(const api::SubmitRequest& submit) {
  if (submit.entry.empty()) return;  // it did not get that far
  holds(submit.files.contains(submit.entry), "the entry is one of the files");
  holds(submit.files.size() <= limits::kBundleFiles, "not more files than the limit");
  for (const auto& [name, text] : submit.files) {
    holds(text.size() <= limits::kWorkflowFileBytes, "no file over the limit");
    holds(is_valid_utf8(name) && is_valid_utf8(text), "files are text");
  }
  holds(submit.params.is_object(), "parameters are an object");
  holds(submit.working_dir.starts_with('/'), "the folder is absolute");
  holds(submit.request_key.empty() || is_id(submit.request_key), "the key is an id");
}

}  // namespace

void http_body(std::string_view input) {
  std::string_view line = take_until(input, '\n');
  const std::string_view method = take_until(line, ' ');
  auto target = api::parse_target(line);
  if (!target) return;
  api::Match found = api::match(method, target->segments);
  if (found.route == nullptr) return;
  api::Request request;
  request.method = method;
  request.captures = std::move(found.captures);
  request.query = std::move(target->query);
  request.idempotency_key = "key";
  request.body = input;
  boost::asio::io_context io;
  api::test::FakeBackend backend(io);
  int answers = 0;
  {
    const api::Reply reply(std::make_shared<Recorder>(answers));
    reply.guarded([&] { found.route->handle(request, backend, reply); });
  }
  io.run();
  holds(answers == 1, "a request has exactly one answer");
  check_submit(backend.seen().submit);
}

}  // namespace baton::fuzz
