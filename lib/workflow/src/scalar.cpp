#include "scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace baton::workflow {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}
constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 3> kTrue{"true", "True", "TRUE"};
constexpr std::array<std::string_view, 3> kFalse{"false", "False", "FALSE"};
constexpr std::array<std::string_view, 3> kInfinity{".inf", ".Inf", ".INF"};
constexpr std::array<std::string_view, 3> kNan{".nan", ".NaN", ".NAN"};

std::string_view without_sign(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  return text;
}

std::size_t count_digits(std::string_view text) {
  return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
}

// 0o17 and 0x1f, which take no sign.
std::optional<int> prefixed_base(std::string_view text) {
  if (text.size() < 3 || text[0] != '0') return std::nullopt;
  const std::string_view digits = text.substr(2);
  if (text[1] == 'o' && digits.find_first_not_of("01234567") == std::string_view::npos) return 8;
  if (text[1] == 'x' && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos) return 16;
  return std::nullopt;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
  text = without_sign(text);
  const std::size_t whole = count_digits(text);
  text.remove_prefix(whole);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    const std::size_t fraction = count_digits(text);
    if (whole + fraction == 0) return false;
    text.remove_prefix(fraction);
  } else if (whole == 0) {
    return false;
  }
  if (!text.empty() && (text.front() == 'e' || text.front() == 'E')) {
    text = without_sign(text.substr(1));
    const std::size_t exponent = count_digits(text);
    if (exponent == 0) return false;
    text.remove_prefix(exponent);
  }
  return text.empty();
}

ScalarType type_of(Node node) { return node.is_quoted() ? ScalarType::string : scalar_type(node.text()); }

}  // namespace

ScalarType scalar_type(std::string_view text) {
  if (is_one_of(text, kNulls)) return ScalarType::null;
  const char first = text.front();
  if (!is_digit(first) && first != '-' && first != '+' && first != '.') {
    return is_one_of(text, kTrue) || is_one_of(text, kFalse) ? ScalarType::boolean : ScalarType::string;
  }
  const std::string_view bare = without_sign(text);
  if (!bare.empty() && count_digits(bare) == bare.size()) return ScalarType::integer;
  if (prefixed_base(text)) return ScalarType::integer;
  if (is_float(text) || is_one_of(bare, kInfinity) || is_one_of(text, kNan)) return ScalarType::number;
  return ScalarType::string;
}

std::string_view described(Node node) {
  switch (node.kind()) {
    case NodeKind::null:
      return "empty";
    case NodeKind::list:
      return "a list";
    case NodeKind::map:
      return "a map";
    case NodeKind::scalar:
      break;
  }
  switch (type_of(node)) {
    case ScalarType::null:
      return "empty";
    case ScalarType::boolean:
      return "a boolean";
    case ScalarType::integer:
      return "an integer";
    case ScalarType::number:
      return "a number";
    case ScalarType::string:
      return "a string";
  }
  return "a string";
}

bool is_string(Node node) { return node.is_scalar() && type_of(node) == ScalarType::string; }

std::optional<bool> as_bool(Node node) {
  if (!node.is_scalar() || type_of(node) != ScalarType::boolean) return std::nullopt;
  return is_one_of(node.text(), kTrue);
}

std::optional<std::int64_t> as_integer(Node node) {
  if (!node.is_scalar() || type_of(node) != ScalarType::integer) return std::nullopt;
  std::string_view text = node.text();
  int base = 10;
  if (const auto prefixed = prefixed_base(text)) {
    base = *prefixed;
    text.remove_prefix(2);
  } else if (text.front() == '+') {
    text.remove_prefix(1);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> as_number(Node node) {
  if (const auto integer = as_integer(node)) return static_cast<double>(*integer);
  if (!node.is_scalar()) return std::nullopt;
  const ScalarType type = type_of(node);
  std::string_view text = node.text();
  if ((type != ScalarType::number && type != ScalarType::integer) || prefixed_base(text)) return std::nullopt;
  if (text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<Value> to_value(Node node, Problems& problems) {
  if (node.is_list()) {
    Value list = Value::array();
    for (const Node item : node.items()) {
      auto value = to_value(item, problems);
      if (!value) return std::nullopt;
      list.push_back(*std::move(value));
    }
    return list;
  }
  if (node.is_map()) {
    Value object = Value::object();
    for (const auto [key, item] : node.entries()) {
      auto value = to_value(item, problems);
      if (!value) return std::nullopt;
      object.emplace(key.text(), *std::move(value));
    }
    return object;
  }
  if (node.is_null()) return Value();
  switch (type_of(node)) {
    case ScalarType::null:
      return Value();
    case ScalarType::boolean:
      return Value(*as_bool(node));
    case ScalarType::string:
      return Value(std::string(node.text()));
    case ScalarType::integer:
    case ScalarType::number:
      break;
  }
  if (const auto integer = as_integer(node)) return Value(*integer);
  if (const auto number = as_number(node)) return Value(*number);
  problems.error(node.offset(), "the number is too large, infinite or not a number", "quote it if it is text");
  return std::nullopt;
}

}  // namespace baton::workflow
