// `schedule`: when runs start by themselves.
#include <fmt/format.h>
#include <baton/calendar/cron.hpp>

#include <algorithm>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kSchedules = 1'000;

enum class ScheduleKey { cron, every, timezone, catchup, overlap, start_deadline, params, enabled, asset, file };
constexpr std::array<std::string_view, 10> kScheduleKeys{"cron",           "every",  "timezone", "catchup", "overlap",
                                                         "start_deadline", "params", "enabled",  "asset",   "file"};
using ScheduleFields = Fields<ScheduleKey, kScheduleKeys.size()>;

constexpr Choices<Catchup, 3> kCatchup{{{"none", Catchup::none}, {"latest", Catchup::latest}, {"all", Catchup::all}}};
constexpr Choices<Overlap, 4> kOverlap{
    {{"allow", Overlap::allow}, {"skip", Overlap::skip}, {"queue", Overlap::queue}, {"replace", Overlap::replace}}};

void read_when(Problems& problems, Node node, const ScheduleFields& fields, ScheduleSpec& schedule) {
  if (fields.has(ScheduleKey::cron)) {
    if (auto cron = read_string(problems, fields.value(ScheduleKey::cron), "cron")) {
      if (const auto parsed = calendar::Cron::parse(*cron); !parsed) {
        problems.error(fields.value(ScheduleKey::cron).offset(), fmt::format("`cron`: {}", parsed.error().message));
      }
      schedule.cron = *std::move(cron);
    }
  }
  if (fields.has(ScheduleKey::every)) {
    schedule.every = read_duration(problems, fields.value(ScheduleKey::every), "every", std::chrono::seconds(1));
  }
  if (fields.has(ScheduleKey::cron) && fields.has(ScheduleKey::every)) {
    problems.error(fields.key(ScheduleKey::every).offset(), "a schedule has either `cron` or `every`");
  }
  for (const ScheduleKey later : {ScheduleKey::asset, ScheduleKey::file}) {
    if (!fields.has(later)) continue;
    problems.error(fields.key(later).offset(), fmt::format("`{}` is not supported by this version",
                                                           kScheduleKeys[static_cast<std::size_t>(later)]));
  }
  if (!fields.has(ScheduleKey::cron) && !fields.has(ScheduleKey::every) && !fields.has(ScheduleKey::asset) &&
      !fields.has(ScheduleKey::file)) {
    problems.error(node.offset(), "a schedule has either `cron` or `every`");
  }
}

void read_timezone(Problems& problems, Node node, ScheduleSpec& schedule) {
  auto zone = read_string(problems, node, "timezone");
  if (!zone) return;
  if (!calendar::is_time_zone(*zone)) {
    const auto near = calendar::nearest_time_zone(*zone);
    problems.error(node.offset(), fmt::format("there is no time zone `{}`", zone->substr(0, 80)),
                   near ? fmt::format("did you mean `{}`?", *near) : "use an IANA name such as Europe/Prague");
    return;
  }
  schedule.timezone = *std::move(zone);
}

// The runs that the schedule starts must have all they need.
void read_schedule_params(FileContext& file, Node entry, const ScheduleFields& fields, ScheduleSpec& schedule) {
  Problems& problems = file.problems;
  const std::vector<ParamSpec>& params = file.spec.params;
  const bool given =
      fields.has(ScheduleKey::params) && expect_map(problems, fields.value(ScheduleKey::params), "params");
  if (given) {
    for (const auto [key, node] : fields.value(ScheduleKey::params).entries()) {
      const auto param = std::find_if(params.begin(), params.end(),
                                      [name = key.text()](const ParamSpec& p) { return p.name == name; });
      if (param == params.end()) {
        problems.error(key.offset(), fmt::format("there is no parameter `{}`", key.text().substr(0, 80)),
                       problems.did_you_mean(key.text(), param_names(params)));
        continue;
      }
      if (auto value = read_param_value(problems, node, *param, param->name)) {
        schedule.params[param->name] = *std::move(value);
      }
    }
  }
  for (const ParamSpec& param : params) {
    if (!param.required || (given && fields.value(ScheduleKey::params).find(param.name))) continue;
    problems.error(entry.offset(), fmt::format("the schedule does not give the required parameter `{}`", param.name),
                   "add it to the schedule's `params`");
  }
}

ScheduleSpec read_entry(FileContext& file, Node node) {
  Problems& problems = file.problems;
  ScheduleSpec schedule;
  schedule.pos = problems.source().pos(node.offset());
  const auto fields = read_fields<ScheduleKey>(problems, node, "`schedule`", kScheduleKeys);
  read_when(problems, node, fields, schedule);
  if (fields.has(ScheduleKey::timezone)) read_timezone(problems, fields.value(ScheduleKey::timezone), schedule);
  if (fields.has(ScheduleKey::catchup)) {
    schedule.catchup =
        read_choice(problems, fields.value(ScheduleKey::catchup), "catchup", kCatchup).value_or(Catchup::none);
  }
  if (fields.has(ScheduleKey::overlap)) {
    schedule.overlap =
        read_choice(problems, fields.value(ScheduleKey::overlap), "overlap", kOverlap).value_or(Overlap::allow);
  }
  if (fields.has(ScheduleKey::start_deadline)) {
    schedule.start_deadline =
        read_duration(problems, fields.value(ScheduleKey::start_deadline), "start_deadline", std::chrono::seconds(1));
  }
  if (fields.has(ScheduleKey::enabled)) {
    schedule.enabled = read_bool(problems, fields.value(ScheduleKey::enabled), "enabled").value_or(true);
  }
  read_schedule_params(file, node, fields, schedule);
  return schedule;
}

}  // namespace

void read_schedule(FileContext& file, Node node) {
  if (!node.is_list()) {
    wrong_type(file.problems, node, "schedule", "a list", "write `- cron: …` or `- every: …`");
    return;
  }
  if (!expect_list(file.problems, node, "schedule")) return;
  if (node.size() > kSchedules) {
    file.problems.error(node.offset(), fmt::format("`schedule` has more than {} entries", kSchedules));
    return;
  }
  for (const Node entry : node.items()) {
    if (expect_map(file.problems, entry, "schedule")) file.spec.schedules.push_back(read_entry(file, entry));
  }
}

}  // namespace baton::workflow
