// A followed run as text: lines for files and CI logs, and a block that a terminal redraws in place.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "output.hpp"
#include "progress.hpp"

namespace baton::cli {

// "12:03:04" and "2026-03-29 12:03:04" in the local time zone.
std::string clock_time(TimePoint time);
std::string local_time(TimePoint time);

// One line per change of a state that matters; crowds give a line per failure and per tenth done.
class PlainProgress {
 public:
  explicit PlainProgress(bool colour) : colour_(colour) {}
  // Lines with their newlines; empty if there is nothing to say.
  std::string lines(const RunProgress& progress, const RunProgress::Change& change);

 private:
  std::string crowd_line(const RunProgress& progress, const RunProgress::Change& change);
  bool colour_;
  std::vector<std::uint64_t> tenths_;  // by group, already reported
};

// The line that stays above the live block when an instance has ended or needs somebody; nullopt for changes that the
// block itself shows.
std::optional<std::string> lasting_line(const RunProgress& progress, const RunProgress::Change& change,
                                        std::size_t columns, bool colour);

// The live block: a header, a bar for each matrix in progress, a line for each running task. It fits `size`.
std::vector<std::string> live_block(const RunProgress& progress, TimePoint now, Output::Size size, bool colour);

// "digits #3 failed in 5.2s: 4 succeeded, 1 failed".
std::string summary_line(const views::RunView& run, bool colour);

// [████████░░░░] with `filled` of `total`.
std::string bar(std::uint64_t filled, std::uint64_t total, std::size_t columns);

}  // namespace baton::cli
