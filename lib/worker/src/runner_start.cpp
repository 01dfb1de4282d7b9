#include <baton/base/file.hpp>
#include <baton/worker/outcome.hpp>
#include <baton/worker/runner.hpp>
#include <baton/worker/spawn.hpp>

#include <algorithm>
#include <system_error>

#include "runner_files.hpp"

namespace baton::worker {
namespace {

// What the kernel would cut off silently.
bool has_nul(const wire::Launch& launch) {
  const auto bad = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  return std::any_of(launch.argv.begin(), launch.argv.end(), bad) || bad(launch.working_dir) ||
         std::any_of(launch.env.begin(), launch.env.end(), [&](const auto& variable) {
           return bad(variable.first) || bad(variable.second) || variable.first.empty() ||
                  variable.first.find('=') != std::string::npos;
         });
}

bool needs_side_file(const wire::Launch& launch) {
  return !launch.outputs.empty() || !launch.needs.custom_milli.empty();
}

Record started_record(const wire::Launch& launch, const Slot& slot, const Grant& grant, TimePoint now) {
  Record record(RecordKind::started);
  record.attempt = launch.attempt.value();
  record.time_us = now.time_since_epoch().count();
  if (needs_side_file(launch)) record.flags |= Record::kHasSideFile;
  record.start.segment = slot.segment;
  record.start.slot = slot.number;
  record.start.timeout_us = launch.timeout.count();
  record.start.grace_us = launch.grace.count();
  record.start.cpu_milli = grant.needs.cpu_milli;
  record.start.memory_bytes = grant.needs.memory_bytes;
  record.start.gpu_milli = grant.needs.gpu_milli;
  record.start.gpu_devices = grant.gpu_devices;
  return record;
}

std::string describe_failure(const SpawnResult& result, const wire::Launch& launch, const std::string& directory) {
  const std::string reason = std::generic_category().message(result.error);
  switch (result.stage) {
    case SpawnStage::directory:
      return fmt::format("working directory {}: {}", directory, reason);
    case SpawnStage::exec:
      return fmt::format("{}: {}", launch.argv.front(), reason);
    case SpawnStage::journal:
      return fmt::format("the worker's journal: {}", reason);
    default:
      return fmt::format("cannot start a process: {}", reason);
  }
}

}  // namespace

Variables Runner::worker_variables(const wire::Launch& launch, const Slot& slot, const Grant& grant) const {
  Variables variables;
  variables.reserve(6);
  variables.emplace_back(kMarkerVariable, std::to_string(launch.attempt.value()));
  variables.emplace_back(kScratchVariable, slot.tmp_path);
  variables.emplace_back("BATON_OUTPUT", slot.output_path);
  if (grant.needs.cpu_milli > 0) variables.emplace_back("BATON_CPUS", format_milli(grant.needs.cpu_milli));
  if (grant.needs.memory_bytes > 0) variables.emplace_back("BATON_MEMORY", std::to_string(grant.needs.memory_bytes));
  if (grant.gpu_devices != 0) variables.emplace_back("CUDA_VISIBLE_DEVICES", format_devices(grant.gpu_devices));
  return variables;
}

Result<void> Runner::write_files(const wire::Launch& launch, const Slot& slot) {
  if (needs_side_file(launch)) {
    if (auto written = write_launch(folder_.fd.get(), slot, launch); !written) return written;
  }
  if (launch.script.empty()) return {};
  return create_file_at(folder_.fd.get(), slot.folder + "/script", launch.script);
}

void Runner::start(AttemptId attempt, const wire::Launch& launch, Grant grant) {
  if (launch.argv.empty() || has_nul(launch)) {
    return fail_to_start(attempt, grant, nullptr, EINVAL, "the command is empty or contains a NUL byte", nullptr);
  }
  auto acquired = slots_.acquire();
  if (!acquired) return fail_to_start(attempt, grant, nullptr, EIO, acquired.error().message, nullptr);
  Slot* slot = *acquired;
  if (auto written = write_files(launch, *slot); !written) {
    return fail_to_start(attempt, grant, slot, EIO, written.error().message, nullptr);
  }
  const auto program = find_program(launch.argv.front(), environment_.search_path(launch.env));
  if (!program) {
    return fail_to_start(attempt, grant, slot, ENOENT, fmt::format("{}: command not found", launch.argv.front()),
                         nullptr);
  }
  std::vector<char*> argv;
  argv.reserve(launch.argv.size() + 2);
  for (const std::string& argument : launch.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  if (!launch.script.empty()) argv.push_back(slot->script_path.data());
  argv.push_back(nullptr);
  const EnvironmentBlock environment = environment_.compose(launch.env, worker_variables(launch, *slot, grant));
  const std::string& directory = launch.working_dir.empty() ? slot->tmp_path : launch.working_dir;

  Running run;
  run.started = started_record(launch, *slot, grant, host_.wall_time());
  const Enclosure enclosure = containment_->enclose(slot->number, grant.needs.memory_bytes);
  const SpawnResult result = host_.spawn({.file = program->c_str(),
                                          .argv = argv.data(),
                                          .environment = environment.get(),
                                          .directory = directory.c_str(),
                                          .stdin_fd = null_fd_,
                                          .output_fd = slot->log.get(),
                                          .journal_fd = journal_.fd(),
                                          .enclosure = enclosure,
                                          .started = &run.started});
  if (result.stage == SpawnStage::none || result.stage == SpawnStage::exec) journal_.child_appended();
  if (result.error != 0) {
    const bool began = result.stage == SpawnStage::exec;
    return fail_to_start(attempt, grant, slot, result.error, describe_failure(result, launch, directory),
                         began ? &run.started : nullptr);
  }
  run.outputs = launch.outputs;
  run.grant = std::move(grant);
  run.slot = slot;
  if (launch.timeout.count() > 0) {
    run.timeout_at = run.started.start.boot_from_ns + static_cast<std::uint64_t>(launch.timeout.count()) * 1000u;
  }
  // An adopted process had this pid: its supervisor has recorded its end, which would be taken for this one's.
  if (mains_.contains(result.pid)) journal_changed();
  mains_[result.pid] = attempt;
  containment_->add(attempt, run.started, false);
  emit(wire::Started{attempt, TimePoint(Duration(run.started.time_us)), run.started.pid, open_log(run.started)});
  if (logs_check_at_ == 0) logs_check_at_ = host_.boot_ns() + kLogCheckNs;
  const std::uint64_t timeout_at = run.timeout_at;
  Attempt& state = attempts_.insert_or_assign(attempt, std::move(run)).first->second;
  if (timeout_at != 0) set_due(attempt, std::get<Running>(state), timeout_at);
}

void Runner::fail_to_start(AttemptId attempt, const Grant& grant, Slot* slot, int error, std::string message,
                           const Record* started) {
  allocator_.give_back(grant);
  wire::Outcome outcome;
  outcome.cause = wire::ExitCause::spawn_error;
  outcome.detail = error;
  outcome.message = std::move(message);
  outcome.ended_at = host_.wall_time();
  if (started != nullptr) {
    outcome.started_at = TimePoint(Duration(started->time_us));
    outcome.log = {started->start.segment, started->start.log_from, started->start.log_from};
  }
  if (slot != nullptr) slots_.release(slot, true);
  conclude(attempt, keep_message(attempt, std::move(outcome)), false);
}

}  // namespace baton::worker
