// What the server makes of requests that no client of ours would send.
#include <malloc.h>
#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "harness.hpp"

using namespace baton;
using namespace baton::api;
using namespace baton::api::test;
using namespace std::string_literals;

namespace {

constexpr const char* kSubmit = R"({"entry":"a","files":{"a":"x"},"working_dir":"/"})";

std::string code_of(const std::string& answer) {
  const auto json = nlohmann::json::parse(body_of_answer(answer), nullptr, false);
  return json.is_object() ? json.value("code", "") : "";
}

int submit(const RunningServer& server, std::string_view body, std::string_view headers = {}) {
  return status_of_answer(ask(server.socket(), "POST", "/v1/runs", body, headers));
}

}  // namespace

TEST_CASE("paths that do not exist") {
  RunningServer server;
  for (const char* path :
       {"/", "/v1", "/v1/", "/v1/info/", "//v1/info", "/v2/info", "/v1/infos", "/v1/runs/", "/v1/runs//why", "/V1/info",
        "/v1/runs/a/b", "/v1/runs/../info", "/v1%2Finfo", "/v1/runs/x/tasks//log"}) {
    INFO(path);
    const std::string answer = ask(server.socket(), "GET", path);
    CHECK(status_of_answer(answer) == 404);
    CHECK(code_of(answer) == "not_found");
  }
  CHECK(server.backend.asked.value() == 0);
}

TEST_CASE("a segment is decoded once and compared exactly") {
  RunningServer server;
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/%69nfo")) == 200);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs/a%2Fb")) == 200);
  CHECK(server.backend.seen().reference == "a/b");
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs/%252e")) == 200);
  CHECK(server.backend.seen().reference == "%2e");
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs/..")) == 200);
  CHECK(server.backend.seen().reference == "..");
  CHECK(status_of_answer(ask(server.socket(), "GET", "http://baton/v1/info")) == 200);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs/%zz")) == 400);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs/%00")) == 400);
}

TEST_CASE("HEAD is answered without a body, whatever is wrong with it") {
  RunningServer server;
  for (const char* path : {"/nope", "/v1/runs", "/v1/info?x=1"}) {
    INFO(path);
    const std::string answer = ask(server.socket(), "HEAD", path);
    CHECK(status_of_answer(answer) >= 400);
    CHECK(body_of_answer(answer).empty());
  }
}

TEST_CASE("what is wrong with a body is said in a few words") {
  RunningServer server;
  const std::string answer = ask(server.socket(), "POST", "/v1/runs", '"' + std::string(10u << 20, 'x'));
  CHECK(status_of_answer(answer) == 400);
  CHECK(answer.size() < 1'000);
}

TEST_CASE("remarks have a greatest length") {
  RunningServer server;
  const auto status = [&](const char* path, const char* field, std::size_t bytes) {
    const std::string body = nlohmann::json{{field, std::string(bytes, 'x')}}.dump();
    return status_of_answer(ask(server.socket(), "POST", path, body));
  };
  CHECK(status("/v1/runs/x/cancel", "reason", limits::kRemarkBytes) == 200);
  CHECK(status("/v1/runs/x/cancel", "reason", limits::kRemarkBytes + 1) == 400);
  CHECK(status("/v1/runs/x/approve", "comment", limits::kRemarkBytes) == 200);
  CHECK(status("/v1/runs/x/tasks/t/reject", "comment", limits::kRemarkBytes + 1) == 400);
}

TEST_CASE("methods that a path does not have") {
  RunningServer server;
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "PATCH", "BREW", "HEAD"}) {
    INFO(method);
    const std::string answer = ask(server.socket(), method, "/v1/runs");
    CHECK(status_of_answer(answer) == 405);
    CHECK(answer.find("\r\nAllow: POST, GET\r\n") != answer.npos);
    if (method == "HEAD"s) CHECK(body_of_answer(answer).empty());
  }
  CHECK(ask(server.socket(), "GET", "/v1/runs/x/cancel").find("\r\nAllow: POST\r\n") != std::string::npos);
  CHECK(server.backend.asked.value() == 0);
}

TEST_CASE("unknown or wrong query parameters") {
  RunningServer server;
  for (const char* target :
       {"/v1/info?x=1", "/v1/runs?limit=0", "/v1/runs?limit=1001", "/v1/runs/r/tasks?limit=1001", "/v1/runs?limit=-1",
        "/v1/runs?limit=1x", "/v1/runs?limit=", "/v1/runs?limit=99999999999999999999", "/v1/runs?include_children=yes",
        "/v1/runs?cursor=a&cursor=b", "/v1/runs?states=failed", "/v1/runs/x?y", "/v1/runs/x/tasks/t/log?tail=-1",
        "/v1/events?after=x", "/v1/runs/x/logs?attempt=4294967296", "/v1/runs?workflow=%ff"}) {
    INFO(target);
    const std::string answer = ask(server.socket(), "GET", target);
    CHECK(status_of_answer(answer) == 400);
    CHECK(code_of(answer) == "invalid_argument");
  }
  CHECK(server.backend.asked.value() == 0);
}

TEST_CASE("bodies of a wrong shape") {
  RunningServer server;
  CHECK(submit(server, kSubmit) == 201);
  const int asked = server.backend.asked.value();
  for (const char* body :
       {"", "{", "[]", "1", "\"x\"", "{\"a\":1}", R"({"entry":"a"})",
        R"({"entry":"b","files":{"a":"x"},"working_dir":"/"})", R"({"entry":"a","files":{"a":1},"working_dir":"/"})",
        R"({"entry":"a","files":["a"],"working_dir":"/"})",
        R"({"entry":"a","files":{"a":"x"},"working_dir":"relative"})",
        R"({"entry":"a","files":{"a":"x"},"working_dir":"/","params":[]})",
        R"({"entry":"a","files":{"a":"x"},"working_dir":"/","priority":1.5})",
        R"({"entry":"a","files":{"a":"x"},"working_dir":"/","priority":9999999999})",
        R"({"entry":"a","files":{"a":"x"},"working_dir":"/","labels":{"a":{}}})",
        R"({"entry":"a","files":{"a":"x"},"working_dir":"/","parms":{}})", "{\"entry\":\"\xff\"}"}) {
    INFO(body);
    CHECK(submit(server, body) == 400);
  }
  CHECK(status_of_answer(ask(server.socket(), "POST", "/v1/runs/x/retry", R"({"dry_run":"no"})")) == 400);
  CHECK(status_of_answer(ask(server.socket(), "POST", "/v1/shutdown", R"({"now":true})")) == 400);
  CHECK(server.backend.asked.value() == asked);
}

TEST_CASE("a body may be left out where every field may") {
  RunningServer server;
  for (const char* path :
       {"/v1/runs/x/cancel", "/v1/runs/x/retry", "/v1/runs/x/approve", "/v1/reload", "/v1/shutdown"}) {
    CHECK(status_of_answer(ask(server.socket(), "POST", path)) == 200);
  }
}

TEST_CASE("an idempotency key is an id") {
  RunningServer server;
  CHECK(submit(server, kSubmit, "Idempotency-Key: a.B_c-1\r\n") == 201);
  CHECK(server.backend.seen().submit.request_key == "a.B_c-1");
  CHECK(submit(server, kSubmit, "Idempotency-Key: two words\r\n") == 400);
  CHECK(submit(server, kSubmit, "Idempotency-Key: " + std::string(65, 'a') + "\r\n") == 400);
}

TEST_CASE("a created run is located") {
  RunningServer server;
  const std::string answer = ask(server.socket(), "POST", "/v1/runs", kSubmit);
  CHECK(answer.find("\r\nLocation: /v1/runs/01k2x7\r\n") != answer.npos);
}

TEST_CASE("JSON is read down to its limit of depth and no deeper") {
  RunningServer server;
  const auto nested = [](std::size_t depth) {  // the body and `params` are two
    return R"({"entry":"a","files":{"a":"x"},"working_dir":"/","params":{"p":)" + std::string(depth - 2, '[') +
           std::string(depth - 2, ']') + "}}";
  };
  CHECK(submit(server, nested(limits::kJsonDepth)) == 201);
  CHECK(submit(server, nested(limits::kJsonDepth + 1)) == 400);
  CHECK(submit(server, nested(1'000'000)) == 400);
  CHECK(submit(server, std::string(1'000'000, '[')) == 400);
}

TEST_CASE("JSON is read up to its limit of values and no further") {
  RunningServer server;
  const auto listed = [](std::size_t values) {  // seven that are no elements of the list
    std::string list;
    for (std::size_t i = 7; i < values; ++i) list += i == 7 ? "0" : ",0";
    return R"({"entry":"a","files":{"a":"x"},"working_dir":"/","params":{"p":[)" + list + "]}}";
  };
  CHECK(submit(server, listed(limits::kJsonValues - 1)) == 201);
  CHECK(submit(server, listed(limits::kJsonValues)) == 201);
  CHECK(submit(server, listed(limits::kJsonValues + 1)) == 400);
}

TEST_CASE("a body of the limit is read, a bigger one is refused") {
  RunningServer server;
  std::string body = kSubmit;
  body.resize(limits::kHttpBodyBytes, ' ');
  CHECK(submit(server, body) == 201);
  body += ' ';
  CHECK(submit(server, body) == 413);

  const RawSocket raw(server.socket());
  raw.send("POST /v1/runs HTTP/1.1\r\nHost: baton\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (std::size_t sent = 0; sent <= limits::kHttpBodyBytes; sent += 1 << 20) {
    if (!raw.send("100000\r\n" + std::string(1 << 20, ' ') + "\r\n")) break;
  }
  CHECK(status_of_answer(raw.read_to_end()) == 413);
}

TEST_CASE("files beyond their limits are refused") {
  RunningServer server;
  nlohmann::json body{
      {"entry", "a"}, {"files", {{"a", std::string(limits::kWorkflowFileBytes + 1, 'x')}}}, {"working_dir", "/"}};
  CHECK(submit(server, body.dump()) == 413);
  body["files"] = nlohmann::json::object({{"a", ""}});
  for (std::size_t i = 0; i < limits::kBundleFiles; ++i) body["files"][std::to_string(i)] = "";
  CHECK(submit(server, body.dump()) == 413);
}

TEST_CASE("a header beyond its limit is refused") {
  RunningServer server;
  const std::string big(limits::kHttpHeaderBytes, 'x');
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/info", {}, "X: " + big.substr(1000) + "\r\n")) == 200);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/info", {}, "X: " + big + "\r\n")) == 431);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs/" + big)) == 431);
  std::string many;
  for (int i = 0; i < 5000; ++i) many += fmt::format("X{}: y\r\n", i);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/info", {}, many)) == 431);
}

TEST_CASE("what is not HTTP is answered with 400 and closed") {
  RunningServer server;
  for (const std::string& garbage :
       {"hello\r\n\r\n"s, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s + std::string(200, '\x01'),
        std::string(5000, '\0'), "GET /v1/info\r\n\r\n"s, "GET /v1/info HTTP/9.9\r\n\r\n"s,
        "GET /v1/info HTTP/1.1\r\nbad header\r\n\r\n"s, "GET  HTTP/1.1\r\n\r\n"s,
        "POST /v1/runs HTTP/1.1\r\nContent-Length: -1\r\n\r\n"s,
        "POST /v1/runs HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"s,
        "POST /v1/runs HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"s}) {
    INFO(garbage.substr(0, 60));
    const RawSocket raw(server.socket());
    raw.send(garbage);
    CHECK(status_of_answer(raw.read_to_end()) == 400);
  }
  CHECK(server.client().info());
}

TEST_CASE("requests share a connection, also when sent ahead") {
  RunningServer server;
  const RawSocket raw(server.socket());
  const std::string one = "GET /v1/info HTTP/1.1\r\nHost: baton\r\n\r\n";
  raw.send(one + one + "GET /v1/runs/x/tasks/t/log HTTP/1.1\r\nHost: baton\r\n\r\n" + one +
           "GET /v1/doctor HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string answers = raw.read_to_end();
  std::size_t count = 0;
  for (std::size_t at = answers.find("HTTP/1.1 200"); at != answers.npos; at = answers.find("HTTP/1.1 200", at + 1))
    ++count;
  CHECK(count == 5);
  CHECK(server.backend.asked.value() == 5);
}

TEST_CASE("a client that expects 100-continue is told so") {
  RunningServer server;
  const RawSocket raw(server.socket());
  raw.send(
      fmt::format("POST /v1/runs HTTP/1.1\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                  std::string_view(kSubmit).size()));
  CHECK(raw.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  raw.send(kSubmit);
  CHECK(status_of_answer(raw.read_to_end()) == 201);
  // And not, if the answer is known before the body.
  CHECK(status_of_answer(ask(server.socket(), "POST", "/v1/info", "{}", "Expect: 100-continue\r\n")) == 405);
}

TEST_CASE("HTTP/1.0 gets plain bodies") {
  RunningServer server;
  const RawSocket raw(server.socket());
  raw.send("GET /v1/runs/x/tasks/t/log HTTP/1.0\r\n\r\n");
  const std::string answer = raw.read_to_end();
  CHECK(status_of_answer(answer) == 200);
  CHECK(body_of_answer(answer) == "first\nsec\0nd\n"s);
}

TEST_CASE("silence in a request ends a connection") {
  RunningServer server([](FakeBackend&, ServerOptions& options) {
    options.timeouts.header = options.timeouts.body = std::chrono::seconds(2);
  });
  std::vector<RawSocket> clients;
  for (const char* bytes : {"", "GET /v1/in", "GET /v1/info HTTP/1.1\r\nHost: b",
                            "POST /v1/runs HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"}) {
    clients.emplace_back(server.socket());
    clients.back().send(bytes);
  }
  CHECK(clients[0].read_to_end().empty());
  for (std::size_t i = 1; i < clients.size(); ++i) CHECK(status_of_answer(clients[i].read_to_end()) == 408);
}

TEST_CASE("silence between requests ends a connection") {
  RunningServer server(
      [](FakeBackend&, ServerOptions& options) { options.timeouts.idle = std::chrono::milliseconds(10); });
  const RawSocket raw(server.socket());
  raw.send("GET /v1/info HTTP/1.1\r\nHost: baton\r\n\r\n");
  const std::string answer = raw.read_to_end();
  CHECK(status_of_answer(answer) == 200);
  CHECK(answer.find("408") == answer.npos);
}

TEST_CASE("a client that does not take its answer is cut off") {
  RunningServer server([](FakeBackend& backend, ServerOptions& options) {
    options.timeouts.write = std::chrono::milliseconds(20);
    // An answer that no socket buffer holds.
    backend.problem = Problem{{ErrorCode::invalid_workflow, std::string(8 << 20, 'x')}, {}};
  });
  const RawSocket raw(server.socket());
  raw.send("GET /v1/info HTTP/1.1\r\nHost: baton\r\n\r\n");
  // Sending fails once the server has closed; until then it only fills the queue.
  const std::string filler(1 << 16, ' ');
  while (raw.send(filler)) continue;
  const std::string answer = raw.read_to_end();
  CHECK(status_of_answer(answer) == 422);
  CHECK(answer.size() < 8 << 20);
}

TEST_CASE("the bodies in flight have a limit together") {
  RunningServer server;
  std::vector<RawSocket> clients;
  const auto begin = [&] {
    clients.emplace_back(server.socket());
    clients.back().send(fmt::format("POST /v1/runs HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
                                    limits::kHttpBodyBytes));
    return clients.back().read_until("\r\n\r\n");
  };
  for (int i = 0; i < 8; ++i) CHECK(begin() == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(status_of_answer(begin()) == 503);
  CHECK(server.client().info());
  clients.clear();  // gives it all back
  std::string answer;
  for (int i = 0; i < 10'000 && !answer.starts_with("HTTP/1.1 100"); ++i) answer = begin();
  CHECK(answer.starts_with("HTTP/1.1 100"));
}

namespace {

// As large as a body may be, and small once it is read.
std::string padded_submission() {
  return std::string(limits::kHttpBodyBytes - std::string_view(kSubmit).size(), ' ') + kSubmit;
}

std::string submission_head(std::size_t bytes) {
  return fmt::format("POST /v1/runs HTTP/1.1\r\nHost: baton\r\nContent-Length: {}\r\n\r\n", bytes);
}

}  // namespace

TEST_CASE("a connection that waits for its next request does not keep the last one") {
  RunningServer server;
  std::vector<RawSocket> clients;
  const std::string body = padded_submission();
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(server.socket());
    clients.back().send(submission_head(body.size()));
    clients.back().send(body);
    CHECK(status_of_answer(clients.back().read_until("}\n")) == 201);
  }
  Client client = server.client();
  REQUIRE(client.info());  // the loop is done with them
  CHECK(::mallinfo2().hblkhd < 3 * limits::kHttpBodyBytes);
}

TEST_CASE("bodies count until their requests are answered") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.silent = true; });
  std::vector<RawSocket> clients;
  const std::string body = padded_submission();
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(server.socket());
    clients.back().send(submission_head(body.size()));
    clients.back().send(body);
    REQUIRE(server.backend.asked.wait([i](int asked) { return asked == i + 1; }));
  }
  CHECK(submit(server, kSubmit) == 503);
}
