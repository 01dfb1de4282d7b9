// How a handler answers: exactly once, with a document, a problem or a stream.
#pragma once
#include <baton/api/backend.hpp>
#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace baton::api {

struct Document {
  unsigned status = 200;
  std::string_view content_type = "application/json";
  std::string body;
  std::string allow;     // header of a 405
  std::string location;  // header of a 201
};

struct Stream {
  std::string_view content_type;
  std::shared_ptr<ByteSource> source;
  // It may wait long for its next piece, so the client's end of the connection is watched meanwhile.
  bool follow = false;
  // How it says that it ends before its time; null: it cannot, and is broken off.
  std::function<std::string(const Problem&)> last_words = {};
};

// The connection's side of an answer.
class Responder {
 public:
  virtual ~Responder() = default;
  virtual void send(Document document) = 0;
  virtual void send(Stream stream) = 0;
};

Document problem_document(const Problem& problem, unsigned status);

class Reply {
 public:
  explicit Reply(std::shared_ptr<Responder> responder) : responder_(std::move(responder)) {}

  void json(const nlohmann::json& body, unsigned status = 200, std::string location = {}) const;
  void problem(const Problem& problem) const;
  void error(const Error& error) const { problem({error, {}}); }
  void stream(Stream stream) const { responder_->send(std::move(stream)); }

  // A completion for the backend: a problem is sent as it is, a value goes to `use(reply, value)`, whose exceptions end
  // here as a problem.
  template <class T, class F>
  [[nodiscard]] Done<T> with(F use) const {
    return [reply = *this, use = std::move(use)](Answer<T> answer) {
      reply.guarded([&] {
        if (!answer) return reply.problem(answer.error());
        use(reply, std::move(*answer));
      });
    };
  }
  // The value as JSON by its to_json.
  template <class T>
  [[nodiscard]] Done<T> as_json() const {
    return with<T>([](const Reply& reply, const T& value) { reply.json(value); });
  }

  // Runs `f`; an exception is logged and answered with `internal`.
  template <class F>
  void guarded(F&& f) const {
    try {
      f();
    } catch (const std::exception& exception) {
      defect(exception);
    }
  }

 private:
  void defect(const std::exception& exception) const;

  std::shared_ptr<Responder> responder_;
};

// {"items": […], "next_cursor": "…"}; the cursor is absent on the last page.
template <class T>
nlohmann::json page_json(const views::Page<T>& page) {
  nlohmann::json json{{"items", page.items}};
  if (!page.next_cursor.empty()) json["next_cursor"] = page.next_cursor;
  return json;
}
template <class T>
views::Page<T> page_from_json(const nlohmann::json& json) {
  return {json.at("items").get<std::vector<T>>(), json.value("next_cursor", "")};
}

}  // namespace baton::api
