#include "read_value.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <algorithm>

namespace baton::workflow {
namespace {

// What other tools call it.
struct Synonym {
  std::string_view foreign, ours;
};
constexpr std::array kSynonyms{
    Synonym{"depends_on", "needs"},
    Synonym{"depends-on", "needs"},
    Synonym{"dependsOn", "needs"},
    Synonym{"dependencies", "needs"},
    Synonym{"depends", "needs"},
    Synonym{"after", "needs"},
    Synonym{"script", "run"},
    Synonym{"cmd", "command"},
    Synonym{"bash", "run"},
    Synonym{"args", "command"},
    Synonym{"retries", "retry"},
    Synonym{"max_retry", "max_retries"},
    Synonym{"limit", "max_retries"},
    Synonym{"strategy", "matrix"},
    Synonym{"when", "if"},
    Synonym{"condition", "if"},
    Synonym{"timeout-minutes", "timeout"},
    Synonym{"environment_variables", "env"},
    Synonym{"vars", "env"},
    Synonym{"variables", "env"},
    Synonym{"tags", "runs_on"},
    Synonym{"node", "runs_on"},
    Synonym{"type", "kind"},
    Synonym{"jobs", "tasks"},
    Synonym{"steps", "tasks"},
    Synonym{"dag", "tasks"},
    Synonym{"on", "schedule"},
    Synonym{"inputs", "params"},
    Synonym{"parameters", "params"},
    Synonym{"cwd", "working_dir"},
    Synonym{"workdir", "working_dir"},
    Synonym{"dir", "working_dir"},
    Synonym{"mem", "memory"},
    Synonym{"ram", "memory"},
    Synonym{"choices", "enum"},
    Synonym{"tz", "timezone"},
    Synonym{"interval", "every"},
    Synonym{"matches", "pattern"},
};

// A word from a file as a message shows it: not more than a name's length.
std::string_view shown_word(std::string_view word) { return word.substr(0, 2 * limits::kNameBytes); }

}  // namespace

void wrong_type(Problems& problems, Node node, std::string_view key, std::string_view expected, std::string hint) {
  const std::string_view is = described(node);
  std::string message = is == "empty" ? fmt::format("`{}` has no value: it must be {}", key, expected)
                                      : fmt::format("`{}` must be {}, not {}", key, expected, is);
  problems.error(node.offset(), std::move(message), std::move(hint));
}

bool expect_map(Problems& problems, Node node, std::string_view key) {
  if (node.is_map()) return true;
  wrong_type(problems, node, key, "a map of keys and values");
  return false;
}

bool expect_list(Problems& problems, Node node, std::string_view key) {
  if (node.is_list() && node.size() > 0) return true;
  if (node.is_list()) {
    problems.error(node.offset(), fmt::format("`{}` is an empty list", key));
  } else {
    wrong_type(problems, node, key, "a list");
  }
  return false;
}

std::optional<std::string> read_string(Problems& problems, Node node, std::string_view key) {
  if (is_string(node)) return std::string(node.text());
  std::string hint;
  if (node.is_scalar()) hint = fmt::format("put it in quotes if it is text: \"{}\"", shown_word(node.text()));
  wrong_type(problems, node, key, "a string", std::move(hint));
  return std::nullopt;
}

std::optional<std::string> read_text(Problems& problems, Node node, std::string_view key) {
  if (node.is_scalar()) return std::string(node.text());
  wrong_type(problems, node, key, "a string, number or boolean", node.is_null() ? "write \"\" for an empty text" : "");
  return std::nullopt;
}

bool check_name(Problems& problems, Node node, std::string_view what) {
  if (is_name(node.text())) return true;
  problems.error(node.offset(), fmt::format("`{}` cannot be {}", shown_word(node.text()), what),
                 "a name has up to 64 letters, digits, `_`, `.` and `-`, and begins with a letter or digit");
  return false;
}

bool check_identifier(Problems& problems, Node node, std::string_view what) {
  if (is_identifier(node.text())) return true;
  problems.error(node.offset(), fmt::format("`{}` cannot be {}", shown_word(node.text()), what),
                 "it has letters, digits and `_`, and does not begin with a digit");
  return false;
}

std::optional<std::string> read_name(Problems& problems, Node node, std::string_view key) {
  auto text = read_string(problems, node, key);
  if (!text || !check_name(problems, node, "a name")) return std::nullopt;
  return text;
}

std::optional<bool> read_bool(Problems& problems, Node node, std::string_view key) {
  if (const auto value = as_bool(node)) return value;
  wrong_type(problems, node, key, "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(Problems& problems, Node node, std::string_view key, std::int64_t min,
                                         std::int64_t max) {
  const auto value = as_integer(node);
  if (value && *value >= min && *value <= max) return value;
  if (value || described(node) == "an integer") {
    problems.error(node.offset(), fmt::format("`{}` must be between {} and {}", key, min, max));
  } else {
    wrong_type(problems, node, key, "an integer");
  }
  return std::nullopt;
}

std::optional<double> read_number(Problems& problems, Node node, std::string_view key, double min, double max) {
  const auto value = as_number(node);
  if (value && *value >= min && *value <= max) return value;
  if (value) {
    problems.error(node.offset(), fmt::format("`{}` must be between {} and {}", key, min, max));
  } else {
    wrong_type(problems, node, key, "a number");
  }
  return std::nullopt;
}

std::optional<Duration> read_duration(Problems& problems, Node node, std::string_view key, Duration min) {
  const auto integer = as_integer(node);
  if (!is_string(node) && integer != 0) {
    std::string hint;
    if (integer && *integer > 0) hint = fmt::format("with its unit: {0}s for seconds, {0}m for minutes", *integer);
    wrong_type(problems, node, key, "a duration such as 10s, 5m or 1h30m", std::move(hint));
    return std::nullopt;
  }
  const auto duration = parse_duration(node.text());
  if (!duration) {
    problems.error(node.offset(), fmt::format("`{}`: {}", key, duration.error().message));
    return std::nullopt;
  }
  if (*duration < min) {
    problems.error(node.offset(), fmt::format("`{}` must be at least {}", key, format_duration(min)));
    return std::nullopt;
  }
  return *duration;
}

std::optional<std::size_t> read_choice(Problems& problems, Node node, std::string_view key,
                                       std::span<const std::string_view> words) {
  if (is_string(node)) {
    const auto found = std::find(words.begin(), words.end(), node.text());
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
    problems.error(
        node.offset(),
        fmt::format("`{}` cannot be `{}`: it is one of {}", key, shown_word(node.text()), fmt::join(words, ", ")),
        problems.did_you_mean(node.text(), words));
  } else {
    wrong_type(problems, node, key, fmt::format("one of {}", fmt::join(words, ", ")));
  }
  return std::nullopt;
}

void unknown_key(Problems& problems, Node key, std::string_view where, std::span<const std::string_view> names) {
  const std::string_view word = key.text();
  std::string hint;
  for (const Synonym& synonym : kSynonyms) {
    if (synonym.foreign != word || std::find(names.begin(), names.end(), synonym.ours) == names.end()) continue;
    hint = fmt::format("did you mean `{}`?", synonym.ours);
  }
  if (hint.empty()) hint = problems.did_you_mean(word, names);
  problems.error(key.offset(),
                 fmt::format("unknown key `{}`{}{}", shown_word(word), where.empty() ? "" : " in ", where),
                 std::move(hint));
}

}  // namespace baton::workflow
