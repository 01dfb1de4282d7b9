// A request as the handlers see it, and the readers of its fields: each field is named once, what is left over is an
// error, so that a misspelt name is never silently ignored.
#pragma once
#include <baton/base/result.hpp>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace baton::api {

struct Request {
  std::string method;
  std::vector<std::string> captures;  // of the route's `{…}`, in order, decoded
  std::vector<std::pair<std::string, std::string>> query;
  std::string accept;
  std::string idempotency_key;
  std::string last_event_id;
  std::string body;
};

// Reads a query. A wrong value makes the field its default and finish() an error.
class QueryFields {
 public:
  explicit QueryFields(const Request& request) : query_(request.query), taken_(request.query.size(), false) {}

  std::string text(std::string_view name);
  std::vector<std::string> texts(std::string_view name);  // every value of a name that may be repeated
  std::optional<std::uint64_t> number(std::string_view name, std::uint64_t min, std::uint64_t max);
  bool flag(std::string_view name);  // true or false; absent is false
  Result<> finish();

 private:
  std::optional<std::string_view> take(std::string_view name);
  void complain(std::string message);

  const std::vector<std::pair<std::string, std::string>>& query_;
  std::vector<bool> taken_;
  std::optional<std::string> complaint_;
};

// Reads a JSON object from a body; an empty body is an empty object.
class BodyFields {
 public:
  explicit BodyFields(std::string_view body);

  std::string text(std::string_view name);
  std::string remark(std::string_view name);  // a text of at most limits::kRemarkBytes
  std::string required_text(std::string_view name);
  bool flag(std::string_view name);
  std::optional<int> integer(std::string_view name);
  nlohmann::json object(std::string_view name);  // absent: {}
  std::map<std::string, std::string> texts(std::string_view name);
  Result<> finish();

 private:
  std::optional<nlohmann::json> take(std::string_view name);
  void complain(std::string message);

  nlohmann::json json_ = nlohmann::json::object();
  std::optional<std::string> complaint_;
};

}  // namespace baton::api
