#include <baton/views/views.hpp>

#include <string_view>

namespace baton::views {
namespace {

using nlohmann::json;

json text_or_null(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

json time_or_null(const std::optional<TimePoint>& time) { return time ? json(format_rfc3339(*time)) : json(nullptr); }

// Fields may be added later, so a reader takes what is missing for absent.
template <class T>
void read(const json& object, const char* name, T& value) {
  const auto found = object.find(name);
  if (found != object.end() && !found->is_null()) found->get_to(value);
}

TimePoint parse_time(const json& value) {
  const auto time = parse_rfc3339(value.get_ref<const std::string&>());
  if (!time) throw json::type_error::create(302, time.error().message, &value);
  return *time;
}

void read(const json& object, const char* name, std::optional<TimePoint>& value) {
  const auto found = object.find(name);
  if (found != object.end() && !found->is_null()) value = parse_time(*found);
}

json seconds_or_null(const std::optional<Duration>& duration) {
  return duration ? json(std::chrono::duration<double>(*duration).count()) : json(nullptr);
}

void read(const json& object, const char* name, TaskIndex& value) {
  std::uint32_t number = 0;
  read(object, name, number);
  value = TaskIndex(number);
}

}  // namespace

void to_json(json& json, const AttemptView& view) {
  json = {{"id", view.id.value()},
          {"number", view.number},
          {"state", view.state},
          {"class", text_or_null(view.failure_class)},
          {"exit_code", view.exit_code ? nlohmann::json(*view.exit_code) : nlohmann::json(nullptr)},
          {"worker", text_or_null(view.worker)},
          {"message", text_or_null(view.message)},
          {"started_at", time_or_null(view.started_at)},
          {"ended_at", time_or_null(view.ended_at)}};
}

void from_json(const json& json, AttemptView& view) {
  view = {};
  AttemptId::rep id = 0;
  read(json, "id", id);
  view.id = AttemptId(id);
  json.at("number").get_to(view.number);
  json.at("state").get_to(view.state);
  read(json, "class", view.failure_class);
  if (json.contains("exit_code") && !json["exit_code"].is_null()) view.exit_code = json["exit_code"].get<int>();
  read(json, "worker", view.worker);
  read(json, "message", view.message);
  read(json, "started_at", view.started_at);
  read(json, "ended_at", view.ended_at);
}

void to_json(json& json, const TaskView& view) {
  json = {{"name", view.name},
          {"task", view.task},
          {"kind", view.kind},
          {"task_index", view.task_index.value()},
          {"instance", view.instance},
          {"state", view.state},
          {"reason", text_or_null(view.reason)},
          {"matrix", view.matrix},
          {"outputs", view.outputs},
          {"child_run", text_or_null(view.child_run)},
          {"approval_message", text_or_null(view.approval_message)},
          {"ready_at", time_or_null(view.ready_at)},
          {"ended_at", time_or_null(view.ended_at)},
          {"attempts", view.attempts}};
}

void from_json(const json& json, TaskView& view) {
  view = {};
  json.at("name").get_to(view.name);
  json.at("task").get_to(view.task);
  read(json, "kind", view.kind);
  read(json, "task_index", view.task_index);
  read(json, "instance", view.instance);
  json.at("state").get_to(view.state);
  read(json, "reason", view.reason);
  read(json, "matrix", view.matrix);
  read(json, "outputs", view.outputs);
  read(json, "child_run", view.child_run);
  read(json, "approval_message", view.approval_message);
  read(json, "ready_at", view.ready_at);
  read(json, "ended_at", view.ended_at);
  json.at("attempts").get_to(view.attempts);
}

void to_json(json& json, const TaskSummary& view) {
  json = {{"task", view.task},    {"kind", view.kind},           {"task_index", view.task_index.value()},
          {"needs", view.needs},  {"is_matrix", view.is_matrix}, {"is_finally", view.is_finally},
          {"states", view.states}};
}

void from_json(const json& json, TaskSummary& view) {
  view = {};
  json.at("task").get_to(view.task);
  read(json, "kind", view.kind);
  read(json, "task_index", view.task_index);
  read(json, "needs", view.needs);
  read(json, "is_matrix", view.is_matrix);
  read(json, "is_finally", view.is_finally);
  json.at("states").get_to(view.states);
}

void to_json(json& json, const RunView& view) {
  json = {{"id", view.id},
          {"workflow", view.workflow},
          {"number", view.number},
          {"state", view.state},
          {"reason", text_or_null(view.reason)},
          {"created_at", format_rfc3339(view.created_at)},
          {"started_at", time_or_null(view.started_at)},
          {"ended_at", time_or_null(view.ended_at)},
          {"params", view.params},
          {"labels", view.labels},
          {"parent_run", text_or_null(view.parent_run)},
          {"priority", view.priority}};
  if (!view.summary.empty()) json["summary"] = view.summary;
}

void from_json(const json& json, RunView& view) {
  view = {};
  json.at("id").get_to(view.id);
  json.at("workflow").get_to(view.workflow);
  json.at("number").get_to(view.number);
  json.at("state").get_to(view.state);
  read(json, "reason", view.reason);
  view.created_at = parse_time(json.at("created_at"));
  read(json, "started_at", view.started_at);
  read(json, "ended_at", view.ended_at);
  read(json, "params", view.params);
  read(json, "labels", view.labels);
  read(json, "parent_run", view.parent_run);
  read(json, "priority", view.priority);
  read(json, "summary", view.summary);
}

void to_json(json& json, const EventView& view) {
  json = {{"seq", view.seq},
          {"at", format_rfc3339(view.at)},
          {"run", view.run},
          {"workflow", view.workflow},
          {"type", view.type},
          {"name", text_or_null(view.name)},
          {"task", text_or_null(view.task)},
          {"state", view.state},
          {"reason", text_or_null(view.reason)},
          {"attempt", view.attempt},
          {"elapsed", seconds_or_null(view.elapsed)}};
}

void from_json(const json& json, EventView& view) {
  view = {};
  json.at("seq").get_to(view.seq);
  view.at = parse_time(json.at("at"));
  json.at("run").get_to(view.run);
  read(json, "workflow", view.workflow);
  json.at("type").get_to(view.type);
  read(json, "name", view.name);
  read(json, "task", view.task);
  json.at("state").get_to(view.state);
  read(json, "reason", view.reason);
  read(json, "attempt", view.attempt);
  constexpr double kMostSeconds = 1e12;
  double elapsed = -1;
  read(json, "elapsed", elapsed);
  if (elapsed >= 0 && elapsed < kMostSeconds) {
    view.elapsed = std::chrono::round<Duration>(std::chrono::duration<double>(elapsed));
  }
}

void to_json(json& json, const WorkerView& view) {
  json = {{"name", view.name},
          {"state", view.state},
          {"host", text_or_null(view.host)},
          {"version", text_or_null(view.version)},
          {"labels", view.labels},
          {"capacity",
           {{"cpu_milli", view.cpu_milli},
            {"memory_bytes", view.memory_bytes},
            {"gpu_milli", view.gpu_milli},
            {"custom_milli", view.custom_milli}}},
          {"used",
           {{"cpu_milli", view.cpu_milli_used},
            {"memory_bytes", view.memory_bytes_used},
            {"gpu_milli", view.gpu_milli_used},
            {"custom_milli", view.custom_milli_used}}},
          {"attempts", view.attempts}};
}

void from_json(const json& json, WorkerView& view) {
  view = {};
  json.at("name").get_to(view.name);
  json.at("state").get_to(view.state);
  read(json, "host", view.host);
  read(json, "version", view.version);
  read(json, "labels", view.labels);
  const auto& capacity = json.at("capacity");
  read(capacity, "cpu_milli", view.cpu_milli);
  read(capacity, "memory_bytes", view.memory_bytes);
  read(capacity, "gpu_milli", view.gpu_milli);
  read(capacity, "custom_milli", view.custom_milli);
  const auto& used = json.at("used");
  read(used, "cpu_milli", view.cpu_milli_used);
  read(used, "memory_bytes", view.memory_bytes_used);
  read(used, "gpu_milli", view.gpu_milli_used);
  read(used, "custom_milli", view.custom_milli_used);
  read(json, "attempts", view.attempts);
}

}  // namespace baton::views

namespace baton {

void to_json(nlohmann::json& json, const Diagnostic& diagnostic) {
  json = {{"severity", diagnostic.severity == Severity::error ? "error" : "warning"},
          {"file", diagnostic.file},
          {"line", diagnostic.pos.line},
          {"column", diagnostic.pos.column},
          {"message", diagnostic.message}};
  if (!diagnostic.hint.empty()) json["hint"] = diagnostic.hint;
}

}  // namespace baton
