#include <date/date.h>
#include <baton/base/text.hpp>
#include <baton/calendar/cron.hpp>

#include <array>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

namespace baton::calendar {
namespace {

constexpr std::size_t kLongest = 1024;

struct Field {
  std::string_view name;
  unsigned lowest, highest;
  std::span<const std::string_view> names;  // of the values from `lowest` on
};
constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<Field, 5> kFields{{{"minute", 0, 59, {}},
                                        {"hour", 0, 23, {}},
                                        {"day of month", 1, 31, {}},
                                        {"month", 1, 12, kMonths},
                                        {"day of week", 0, 7, kWeekdays}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNicknames{{{"@hourly", "0 * * * *"},
                                                                                   {"@daily", "0 0 * * *"},
                                                                                   {"@midnight", "0 0 * * *"},
                                                                                   {"@weekly", "0 0 * * 0"},
                                                                                   {"@monthly", "0 0 1 * *"},
                                                                                   {"@yearly", "0 0 1 1 *"},
                                                                                   {"@annually", "0 0 1 1 *"}}};

std::vector<std::string_view> split(std::string_view text, std::string_view separators, bool keep_empty) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find_first_of(separators);
    if (keep_empty || end != 0) {
      if (keep_empty || !text.empty()) parts.push_back(text.substr(0, end));
    }
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<unsigned> parse_number(const Field& field, std::string_view text) {
  unsigned value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || stop != text.data() + text.size() || error == std::errc::invalid_argument) {
    return fail(ErrorCode::invalid_argument, "`{}` is not a {}", escape_control(text), field.name);
  }
  if (error != std::errc{} || value < field.lowest || value > field.highest) {
    return fail(ErrorCode::invalid_argument, "{} `{}` is not in {}-{}", field.name, escape_control(text), field.lowest,
                field.highest);
  }
  return value;
}

Result<unsigned> parse_value(const Field& field, std::string_view text) {
  const std::string word = to_lower(text);
  for (unsigned i = 0; i < field.names.size(); ++i) {
    if (field.names[i] == word) return field.lowest + i;
  }
  if (const auto near = nearest(word, field.names);
      near && !text.empty() && (text.front() < '0' || text.front() > '9')) {
    return fail(ErrorCode::invalid_argument, "`{}` is not a {}; did you mean `{}`?", escape_control(text), field.name,
                *near);
  }
  return parse_number(field, text);
}

// One element of a list: `*`, `5`, `1-5`, each range with or without `/step`.
Result<void> parse_element(const Field& field, std::string_view text, std::bitset<64>& set) {
  const std::size_t slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  const std::size_t dash = range.find('-');
  unsigned first = field.lowest;
  unsigned last = field.highest;
  if (range != "*") {
    const Result<unsigned> from = parse_value(field, range.substr(0, dash));
    if (!from) return std::unexpected(from.error());
    first = last = *from;
    if (dash != std::string_view::npos) {
      const Result<unsigned> to = parse_value(field, range.substr(dash + 1));
      if (!to) return std::unexpected(to.error());
      last = field.highest == 7 && *to == 0 && first > 0 ? 7 : *to;  // fri-sun
    } else if (slash != std::string_view::npos) {
      return fail(ErrorCode::invalid_argument, "a step needs a range: write `{}-{}{}`", range, field.highest,
                  escape_control(text.substr(slash)));
    }
    if (first > last) {
      return fail(ErrorCode::invalid_argument, "the {} range `{}` runs backwards", field.name, escape_control(range));
    }
  }
  unsigned step = 1;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    if (error != std::errc{} || stop != digits.data() + digits.size() || step == 0 || step > field.highest) {
      return fail(ErrorCode::invalid_argument, "the {} step `{}` is not in 1-{}", field.name, escape_control(digits),
                  field.highest);
    }
  }
  for (unsigned value = first; value <= last; value += step) set.set(value);
  return {};
}

Result<std::bitset<64>> parse_field(const Field& field, std::string_view text) {
  std::bitset<64> set;
  for (const std::string_view element : split(text, ",", true)) {
    if (element.empty())
      return fail(ErrorCode::invalid_argument, "the {} list `{}` has an empty element", field.name,
                  escape_control(text));
    if (Result<void> good = parse_element(field, element, set); !good) return std::unexpected(good.error());
  }
  return set;
}

template <std::size_t N>
void assign(std::bitset<N>& to, const std::bitset<64>& from) {
  for (std::size_t i = 0; i < N; ++i) to[i] = from[i];
}

Result<std::string_view> expand_nickname(std::string_view text) {
  const std::string word = to_lower(text);
  std::vector<std::string_view> names;
  for (const auto& [name, fields] : kNicknames) {
    if (name == word) return fields;
    names.push_back(name);
  }
  const auto near = nearest(word, names);
  return fail(ErrorCode::invalid_argument, "`{}` is not a schedule{}", escape_control(text),
              near ? fmt::format("; did you mean `{}`?", *near) : std::string{});
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > kLongest) return fail(ErrorCode::limit, "a cron expression is at most {} bytes long", kLongest);
  std::vector<std::string_view> fields = split(text, " \t", false);
  if (fields.size() == 1 && fields[0].starts_with('@')) {
    const Result<std::string_view> expanded = expand_nickname(fields[0]);
    if (!expanded) return std::unexpected(expanded.error());
    fields = split(*expanded, " ", false);
  }
  if (fields.size() != kFields.size()) {
    return fail(ErrorCode::invalid_argument,
                "a cron expression has five fields (minute, hour, day of month, month, day of week), not {}{}",
                fields.size(), fields.size() == 6 ? "; there are no seconds" : "");
  }
  std::array<std::bitset<64>, kFields.size()> sets;
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    Result<std::bitset<64>> set = parse_field(kFields[i], fields[i]);
    if (!set) return std::unexpected(set.error());
    sets[i] = *set;
  }
  if (sets[4][7]) sets[4].set(0);
  Cron cron;
  assign(cron.minutes, sets[0]);
  assign(cron.hours, sets[1]);
  assign(cron.days, sets[2]);
  assign(cron.months, sets[3]);
  assign(cron.weekdays, sets[4]);
  // Like Vixie cron (crontab(5)), which looks at the first character only: with `*/2` both fields must match, too.
  cron.any_day = fields[2].starts_with('*');
  cron.any_weekday = fields[4].starts_with('*');
  return cron;
}

bool Cron::matches_day(int year, unsigned month, unsigned day) const {
  const date::year_month_day date{date::year(year), date::month(month), date::day(day)};
  if (!date.ok() || !months[month]) return false;
  const bool day_fits = days[day];
  const bool weekday_fits = weekdays[date::weekday(date::sys_days(date)).c_encoding()];
  return any_day || any_weekday ? day_fits && weekday_fits : day_fits || weekday_fits;
}

}  // namespace baton::calendar
