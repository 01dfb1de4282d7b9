#include "problem.hpp"

#include <baton/base/limits.hpp>

#include <array>

namespace baton::api {
namespace {

struct CodeNames {
  ErrorCode code;
  unsigned status;
  std::string_view title;
};
constexpr std::array kCodes{
    CodeNames{ErrorCode::invalid_argument, 400, "The request is not valid"},
    CodeNames{ErrorCode::invalid_workflow, 422, "The workflow is not valid"},
    CodeNames{ErrorCode::not_found, 404, "Not found"},
    CodeNames{ErrorCode::denied, 403, "Not allowed"},
    CodeNames{ErrorCode::conflict, 409, "In conflict with the present state"},
    CodeNames{ErrorCode::unavailable, 503, "Not available now"},
    CodeNames{ErrorCode::stopped, 503, "The daemon was stopped"},
    CodeNames{ErrorCode::disk_full, 507, "The disk is full"},
    CodeNames{ErrorCode::locked, 503, "Locked by another process"},
    CodeNames{ErrorCode::io, 500, "Input or output failed"},
    CodeNames{ErrorCode::corrupt, 500, "Stored data is damaged"},
    CodeNames{ErrorCode::newer_format, 500, "Written by a newer version"},
    CodeNames{ErrorCode::limit, 413, "Beyond a limit"},
    CodeNames{ErrorCode::internal, 500, "A defect in the daemon"},
};

const CodeNames& names_of(ErrorCode code) {
  for (const CodeNames& names : kCodes) {
    if (names.code == code) return names;
  }
  return kCodes.back();
}

ErrorCode code_from(std::string_view name, unsigned status) {
  for (const CodeNames& names : kCodes) {
    if (to_string(names.code) == name) return names.code;
  }
  for (const CodeNames& names : kCodes) {
    if (names.status == status) return names.code;
  }
  return status >= 500 ? ErrorCode::internal : ErrorCode::invalid_argument;
}

Diagnostic diagnostic_from(const nlohmann::json& json) {
  return {.severity = json.value("severity", "error") == "warning" ? Severity::warning : Severity::error,
          .file = json.value("file", ""),
          .pos = {.line = json.value("line", 0u), .column = json.value("column", 0u)},
          .message = json.value("message", ""),
          .hint = json.value("hint", "")};
}

// The JSON library's messages quote the last token, which may be all of the text.
std::string_view quoted(std::string_view message) {
  constexpr std::size_t kShownBytes = 200;
  return message.substr(0, kShownBytes);
}

struct TooDeep {};
struct TooMany {};

}  // namespace

unsigned status_of(ErrorCode code) { return names_of(code).status; }

nlohmann::json problem_json(const Problem& problem, unsigned status) {
  const std::string_view code = to_string(problem.error.code);
  nlohmann::json json{{"type", fmt::format("urn:baton:problem:{}", code)},
                      {"title", names_of(problem.error.code).title},
                      {"status", status},
                      {"detail", problem.error.message},
                      {"code", code}};
  if (!problem.diagnostics.empty()) {
    json["diagnostics"] = nlohmann::json::array();
    for (const Diagnostic& diagnostic : problem.diagnostics) json["diagnostics"].push_back(diagnostic);
  }
  return json;
}

Problem problem_from_json(const nlohmann::json& json, unsigned status) try {
  Problem problem{{code_from(json.value("code", ""), status), json.value("detail", json.value("title", ""))}, {}};
  if (json.contains("diagnostics")) {
    for (const auto& item : json.at("diagnostics")) problem.diagnostics.push_back(diagnostic_from(item));
  }
  return problem;
} catch (const nlohmann::json::exception&) {
  return {{code_from("", status), fmt::format("the daemon answered with status {}", status)}, {}};
}

Problem parse_problem(std::string_view body, unsigned status) {
  auto json = parse_json(body, limits::kJsonDepth);
  return problem_from_json(json ? *json : nlohmann::json(), status);
}

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<nlohmann::json> parse_json(std::string_view text, std::size_t max_depth, std::size_t max_values) try {
  std::size_t values = 0;
  const auto within_limits = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json&) {
    using enum nlohmann::json::parse_event_t;
    if ((event == object_start || event == array_start || event == value) && ++values > max_values) throw TooMany();
    // A container's own depth counts from 0 and is reported before it is entered.
    if ((event == object_start || event == array_start) && static_cast<std::size_t>(depth) >= max_depth)
      throw TooDeep();
    return true;
  };
  return nlohmann::json::parse(text, within_limits);
} catch (const nlohmann::json::exception& error) {
  return fail(ErrorCode::invalid_argument, "not valid JSON: {}", quoted(error.what()));
} catch (const TooDeep&) {
  return fail(ErrorCode::invalid_argument, "JSON nested deeper than {}", max_depth);
} catch (const TooMany&) {
  return fail(ErrorCode::invalid_argument, "JSON of more than {} values", max_values);
}

}  // namespace baton::api
