#include "progress_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>
#include <ctime>

#include "exit_codes.hpp"
#include "style.hpp"

namespace baton::cli {
namespace {

constexpr std::size_t kBarColumns = 20;

std::tm local_tm(TimePoint time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm result{};
  ::localtime_r(&seconds, &result);
  return result;
}

// What is worth a line of its own where lines are kept.
bool is_told(std::string_view state) {
  return is_final_task_state(state) || state == "running" || state == "backoff" || state == "unreachable" ||
         state == "awaiting_approval";
}

bool is_trouble(std::string_view state) {
  return state == "failed" || state == "awaiting_approval" || state == "unreachable";
}

// What stands behind the state: "exit:3, attempt 2, 1.2s".
std::string detail_of(const RunProgress::Change& change) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (!change.reason.empty()) add(change.reason);
  const bool ended = is_final_task_state(change.state) || change.state == "backoff";
  if (change.attempt > 1) add(fmt::format("attempt {}", change.attempt));
  if (ended && change.elapsed) add(format_elapsed(*change.elapsed));
  return text;
}

std::string header_title(const views::RunView& run) { return fmt::format("{} #{}", run.workflow, run.number); }

Duration run_elapsed(const views::RunView& run, TimePoint now) {
  const TimePoint from = run.started_at.value_or(run.created_at);
  return run.ended_at.value_or(now) - from;
}

Line group_line(const RunProgress::Group& group, std::size_t name_columns) {
  Line line;
  const std::uint64_t ended = ended_of(group.counts);
  line.add("  ").add(pad_to(escape_control(group.title), name_columns)).add("  ");
  line.add(bar(ended, group.total, kBarColumns), Style::green);
  line.add(fmt::format(" {}/{}", ended, group.total));
  const auto count = [&](std::string_view state, Style style) {
    if (const std::uint64_t n = count_of(group.counts, state); n != 0) {
      line.add(fmt::format("  {} {}", n, state), style);
    }
  };
  count("running", Style::blue);
  count("failed", Style::red);
  count("backoff", Style::yellow);
  count("unreachable", Style::yellow);
  count("awaiting_approval", Style::yellow);
  return line;
}

Line active_line(const RunProgress::Active& active, TimePoint now, std::size_t name_columns) {
  const Look look = look_of(active.state);
  Line line;
  line.add("  ").add(look.symbol, look.style).add(" ");
  line.add(pad_to(escape_control(active.name), name_columns)).add("  ");
  line.add(pad_to(active.state, 9), look.style);
  line.add("  ").add(format_elapsed(now - active.since));
  if (active.attempt > 1) line.add(fmt::format("  attempt {}", active.attempt), Style::dim);
  return line;
}

}  // namespace

std::string clock_time(TimePoint time) { return fmt::format("{:%H:%M:%S}", local_tm(time)); }
std::string local_time(TimePoint time) { return fmt::format("{:%Y-%m-%d %H:%M:%S}", local_tm(time)); }

std::string bar(std::uint64_t filled, std::uint64_t total, std::size_t columns) {
  const std::size_t full = total == 0
                               ? 0
                               : static_cast<std::size_t>(static_cast<double>(columns) * static_cast<double>(filled) /
                                                          static_cast<double>(total));
  std::string text = "[";
  for (std::size_t i = 0; i < columns; ++i) text += i < full ? "█" : "░";
  return text + "]";
}

std::string PlainProgress::crowd_line(const RunProgress& progress, const RunProgress::Change& change) {
  const RunProgress::Group& group = progress.groups()[change.group];
  if (tenths_.size() < progress.groups().size()) tenths_.resize(progress.groups().size(), 0);
  const std::uint64_t ended = ended_of(group.counts);
  const std::uint64_t tenth = group.total == 0 ? 0 : ended * 10 / group.total;
  if (tenth <= tenths_[change.group]) return {};
  tenths_[change.group] = tenth;
  std::string text = fmt::format("{}  {}  {}% ({}/{})", clock_time(change.at),
                                 pad_to(group.title, progress.name_columns()), tenth * 10, ended, group.total);
  for (const std::string_view state : {"failed", "upstream_failed", "cancelled"}) {
    if (const std::uint64_t n = count_of(group.counts, state); n != 0) text += fmt::format(", {} {}", n, state);
  }
  return text + '\n';
}

std::string PlainProgress::lines(const RunProgress& progress, const RunProgress::Change& change) {
  if (change.is_run) return {};
  const bool crowded = progress.is_crowded(change.group);
  std::string text;
  if (is_told(change.state) && (!crowded || is_trouble(change.state))) {
    Line line;
    line.add(clock_time(change.at), Style::dim).add("  ");
    line.add(pad_to(escape_control(change.name), progress.name_columns())).add("  ");
    const std::string detail = detail_of(change);
    line.add(detail.empty() ? change.state : pad_to(change.state, 9), look_of(change.state).style);
    if (!detail.empty()) line.add("  ").add(detail);
    text = line.render(0, colour_) + '\n';
  }
  if (crowded) text += crowd_line(progress, change);
  return text;
}

std::optional<std::string> lasting_line(const RunProgress& progress, const RunProgress::Change& change,
                                        std::size_t columns, bool colour) {
  if (change.is_run || !is_final_task_state(change.state)) return std::nullopt;
  if (progress.is_crowded(change.group) && !is_trouble(change.state)) return std::nullopt;
  const Look look = look_of(change.state);
  const bool says_itself = change.state == "succeeded";
  Line line;
  line.add(look.symbol, look.style)
      .add(" ")
      .add(pad_to(escape_control(change.name), progress.name_columns()))
      .add("  ");
  if (!says_itself) line.add(change.state, look.style).add("  ");
  line.add(detail_of(change), says_itself ? Style::dim : Style::plain);
  return line.render(columns, colour);
}

std::vector<std::string> live_block(const RunProgress& progress, TimePoint now, Output::Size size, bool colour) {
  // The last column stays free: some terminals wrap as soon as it is written to.
  const std::size_t columns = size.columns > 1 ? size.columns - 1 : 1;
  const std::size_t room = size.rows > 4 ? size.rows - 2 : 2;
  const views::RunView& run = progress.run();
  std::vector<std::string> lines;

  Line header;
  const Look look = look_of(run.state);
  header.add(look.symbol, look.style).add(" ").add(header_title(run), Style::bold).add("  ").add(run.state, look.style);
  header.add("  ").add(format_elapsed(run_elapsed(run, now)));
  header.add(fmt::format("  {}/{} tasks", progress.ended(), progress.total()));
  if (const std::uint64_t failed = count_of(progress.counts(), "failed"); failed != 0) {
    header.add(fmt::format("  {} failed", failed), Style::red);
  }
  lines.push_back(header.render(columns, colour));

  for (const RunProgress::Group& group : progress.groups()) {
    std::uint64_t heard = 0;
    for (const std::uint64_t n : group.counts) heard += n;
    const bool going_on = heard > count_of(group.counts, "waiting") && ended_of(group.counts) < group.total;
    if (going_on && lines.size() < room)
      lines.push_back(group_line(group, progress.name_columns()).render(columns, colour));
  }
  const std::size_t left = room - lines.size();
  const std::size_t all = progress.active_size();
  const std::size_t shown = all <= left ? all : left == 0 ? 0 : left - 1;
  for (const RunProgress::Active& active : progress.active(shown)) {
    lines.push_back(active_line(active, now, progress.name_columns()).render(columns, colour));
  }
  if (shown < all && left > 0) {
    lines.push_back(Line().add(fmt::format("  … and {} more", all - shown), Style::dim).render(columns, colour));
  }
  return lines;
}

std::string summary_line(const views::RunView& run, bool colour) {
  StateCounts counts{};
  for (const views::TaskSummary& task : run.summary) {
    const StateCounts of_task = counts_of(task.states);
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += of_task[i];
  }
  Line line;
  const Look look = look_of(run.state);
  line.add(look.symbol, look.style).add(" ").add(header_title(run), Style::bold).add(" ").add(run.state, look.style);
  if (run.ended_at) line.add(fmt::format(" in {}", format_elapsed(run_elapsed(run, *run.ended_at))));
  if (!run.reason.empty() && run.reason != run.state) line.add(fmt::format(" ({})", run.reason));
  if (const std::string text = describe_counts(counts); !text.empty()) line.add(": ").add(text);
  return line.render(0, colour);
}

}  // namespace baton::cli
