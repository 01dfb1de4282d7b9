#include "request.hpp"

#include <baton/base/limits.hpp>

#include <charconv>
#include <limits>

#include "problem.hpp"

namespace baton::api {

// Queries

void QueryFields::complain(std::string message) {
  if (!complaint_) complaint_ = std::move(message);
}

std::optional<std::string_view> QueryFields::take(std::string_view name) {
  std::optional<std::string_view> found;
  for (std::size_t i = 0; i < query_.size(); ++i) {
    if (query_[i].first != name) continue;
    if (found) complain(fmt::format("query parameter `{}` is given twice", name));
    taken_[i] = true;
    found = query_[i].second;
  }
  return found;
}

std::string QueryFields::text(std::string_view name) { return std::string(take(name).value_or("")); }

std::vector<std::string> QueryFields::texts(std::string_view name) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < query_.size(); ++i) {
    if (query_[i].first != name) continue;
    taken_[i] = true;
    out.push_back(query_[i].second);
  }
  return out;
}

std::optional<std::uint64_t> QueryFields::number(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const auto text = take(name);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < min || value > max) {
    complain(fmt::format("query parameter `{}` must be a number from {} to {}", name, min, max));
    return std::nullopt;
  }
  return value;
}

bool QueryFields::flag(std::string_view name) {
  const auto text = take(name);
  if (text && *text != "true" && *text != "false") {
    complain(fmt::format("query parameter `{}` must be true or false", name));
  }
  return text && *text == "true";
}

Result<> QueryFields::finish() {
  for (std::size_t i = 0; i < query_.size(); ++i) {
    if (!taken_[i]) complain(fmt::format("unknown query parameter `{}`", query_[i].first));
  }
  if (complaint_) return fail(ErrorCode::invalid_argument, "{}", *complaint_);
  return {};
}

// Bodies

BodyFields::BodyFields(std::string_view body) {
  if (body.empty()) return;
  auto json = parse_json(body, limits::kJsonDepth, limits::kJsonValues);
  if (!json) {
    complain(fmt::format("the request's body is {}", json.error().message));
  } else if (!json->is_object()) {
    complain("the request's body is not a JSON object");
  } else {
    json_ = std::move(*json);
  }
}

void BodyFields::complain(std::string message) {
  if (!complaint_) complaint_ = std::move(message);
}

std::optional<nlohmann::json> BodyFields::take(std::string_view name) {
  const auto field = json_.find(name);
  if (field == json_.end()) return std::nullopt;
  nlohmann::json value = std::move(*field);
  json_.erase(field);
  return value;
}

std::string BodyFields::text(std::string_view name) {
  auto value = take(name);
  if (!value) return {};
  if (value->is_string()) return std::move(value->get_ref<std::string&>());
  complain(fmt::format("`{}` must be a string", name));
  return {};
}

std::string BodyFields::remark(std::string_view name) {
  std::string value = text(name);
  if (value.size() <= limits::kRemarkBytes) return value;
  complain(fmt::format("`{}` has {} bytes, at most {} are allowed", name, value.size(), limits::kRemarkBytes));
  return {};
}

std::string BodyFields::required_text(std::string_view name) {
  std::string value = text(name);
  if (value.empty()) complain(fmt::format("`{}` is missing or empty", name));
  return value;
}

bool BodyFields::flag(std::string_view name) {
  const auto value = take(name);
  if (!value) return false;
  if (!value->is_boolean()) complain(fmt::format("`{}` must be true or false", name));
  return value->is_boolean() && value->get<bool>();
}

std::optional<int> BodyFields::integer(std::string_view name) {
  const auto value = take(name);
  if (!value || value->is_null()) return std::nullopt;
  const double number = value->is_number_integer() ? value->get<double>() : std::numeric_limits<double>::infinity();
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    complain(fmt::format("`{}` must be an integer of 32 bits", name));
    return std::nullopt;
  }
  return value->get<int>();
}

nlohmann::json BodyFields::object(std::string_view name) {
  auto value = take(name);
  if (value && value->is_object()) return std::move(*value);
  if (value) complain(fmt::format("`{}` must be an object", name));
  return nlohmann::json::object();
}

std::map<std::string, std::string> BodyFields::texts(std::string_view name) {
  nlohmann::json value = object(name);
  std::map<std::string, std::string> out;
  for (auto& [key, item] : value.items()) {
    if (!item.is_string()) {
      complain(fmt::format("`{}` must have strings as its values", name));
      return {};
    }
    out.emplace(key, std::move(item.get_ref<std::string&>()));
  }
  return out;
}

Result<> BodyFields::finish() {
  if (!json_.empty()) complain(fmt::format("unknown field `{}` in the request's body", json_.begin().key()));
  if (complaint_) return fail(ErrorCode::invalid_argument, "{}", *complaint_);
  return {};
}

}  // namespace baton::api
