// What an attempt has put out: read from its slot, and kept until the daemon has it.
#include <baton/base/file.hpp>
#include <baton/base/limits.hpp>
#include <baton/base/mutation.hpp>
#include <baton/worker/output_file.hpp>
#include <baton/worker/runner.hpp>

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "runner_files.hpp"

namespace baton::worker {

// nullopt: not now, because nothing can be opened. That says nothing of the file.
std::optional<Result<std::string>> Runner::read_output_file(const Running& run) {
  const std::string name = run.slot->folder + "/output";
  const auto read = [&] { return read_file_at(folder_.fd.get(), name.c_str(), limits::kOutputFileBytes); };
  auto text = read();
  if (text || text.error().code != ErrorCode::io) return text;
  slots_.close_free_logs();
  Descriptor any(::openat(folder_.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!any && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) return std::nullopt;
  any.reset();  // it may have been the last one
  return read();
}

// False: not now.
bool Runner::collect_outputs(const Running& run, wire::Outcome& outcome) {
  const auto missing = [&](std::string message) {
    outcome.cause = wire::ExitCause::missing_output;
    outcome.message = std::move(message);
    return true;
  };
  if (run.lost_files) return missing("what it should have put out is not known any more: its files are gone");
  if (run.outputs.empty()) return true;
  auto file = read_output_file(run);
  if (!file) return false;
  Result<std::string>& text = *file;
  if (!text && text.error().code == ErrorCode::not_found) text = std::string();
  if (!text && text.error().code == ErrorCode::limit) {
    return missing(fmt::format("the output file is over {} bytes", limits::kOutputFileBytes));
  }
  if (!text) return missing("the output file cannot be read: " + text.error().message);
  auto outputs = parse_outputs(*text);
  if (!outputs) return missing("the output file is malformed: " + outputs.error().message);
  std::string absent;
  for (const std::string& declared : run.outputs) {
    const auto value = outputs->find(declared);
    if (value != outputs->end()) {
      outcome.outputs.insert(*value);
    } else {
      absent += absent.empty() ? declared : ", " + declared;
    }
  }
  if (absent.empty()) return true;
  outcome.outputs.clear();
  return missing("declared outputs were not written to $BATON_OUTPUT: " + absent);
}

// Outputs are kept in a file until the daemon has them on its disk. nullopt: not now. What has succeeded does not fail
// for want of room here: it waits, as its output file does.
std::optional<Runner::Ended> Runner::keep_details(AttemptId attempt, Running& run, wire::Outcome outcome) {
  if (outcome.outputs.empty()) return keep_message(attempt, std::move(outcome));
  const auto written = write_details(folder_.fd.get(), attempt, outcome);
  if (written) return Ended{std::move(outcome), true};
  if (!run.let_go && written.error().code != ErrorCode::limit && !mutated(Mutation::fail_without_room)) {
    if (!std::exchange(run.waits_for_room, true)) {
      host_.log(fmt::format("attempt {} has ended, and waits until its outputs can be stored: {}", attempt.value(),
                            written.error().message));
    }
    return std::nullopt;
  }
  outcome.outputs.clear();
  outcome.cause = wire::ExitCause::missing_output;
  outcome.message = "its outputs could not be stored: " + written.error().message;
  return keep_message(attempt, std::move(outcome));
}

// Of an attempt that has written no outputs. Should there be no room for the message, the outcome is the same without.
Runner::Ended Runner::keep_message(AttemptId attempt, wire::Outcome outcome) {
  const bool kept = !outcome.message.empty() && write_details(folder_.fd.get(), attempt, outcome);
  return {std::move(outcome), kept};
}

}  // namespace baton::worker
