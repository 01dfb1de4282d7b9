// What values mean: truth, text, size, arithmetic and order.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "expression_program.hpp"

namespace baton::workflow {
namespace {

std::string float_text(double number) {
  if (number == std::trunc(number) && std::abs(number) < 1e15) {
    return fmt::format("{}", static_cast<std::int64_t>(number));
  }
  std::string text = fmt::format("{}", number);  // the shortest form that reads back to the same number
  const std::size_t exponent = text.find('e');
  if (exponent == std::string::npos) return text;
  std::size_t digits = exponent + 1;
  const bool negative = text[digits] == '-';
  while (digits < text.size() && (text[digits] == '+' || text[digits] == '-' || text[digits] == '0')) ++digits;
  return text.substr(0, exponent) + (negative ? "e-" : "e") + text.substr(digits);
}

bool is_int64(const Value& value) {
  if (!value.is_number_integer()) return false;
  return !value.is_number_unsigned() ||
         value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

// -1, 0, 1; JSON has no NaN.
int compare_numbers(const Value& left, const Value& right) {
  if (is_int64(left) && is_int64(right)) {
    const auto a = left.get<std::int64_t>();
    const auto b = right.get<std::int64_t>();
    return a < b ? -1 : a > b ? 1 : 0;
  }
  const auto a = left.get<double>();
  const auto b = right.get<double>();
  return a < b ? -1 : a > b ? 1 : 0;
}

// nullopt: the result is no 64-bit integer.
std::optional<std::int64_t> integer_arithmetic(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  switch (op) {
    case Op::add:
      return __builtin_add_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Op::subtract:
      return __builtin_sub_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Op::multiply:
      return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
    case Op::divide:
      if (b == -1) return integer_arithmetic(Op::subtract, 0, a);
      return a % b == 0 ? std::optional(a / b) : std::nullopt;
    case Op::remainder:
      return b == -1 ? 0 : a % b;
    default:
      return std::nullopt;
  }
}

Result<Value> arithmetic(Op op, const Value& left, const Value& right) {
  if ((op == Op::divide || op == Op::remainder) && right.get<double>() == 0) {
    return fail(ErrorCode::invalid_argument, "division by zero");
  }
  if (is_int64(left) && is_int64(right)) {
    if (const auto exact = integer_arithmetic(op, left.get<std::int64_t>(), right.get<std::int64_t>())) {
      return Value(*exact);
    }
  }
  const auto a = left.get<double>();
  const auto b = right.get<double>();
  const double out = op == Op::add        ? a + b
                     : op == Op::subtract ? a - b
                     : op == Op::multiply ? a * b
                     : op == Op::divide   ? a / b
                                          : std::fmod(a, b);
  if (!std::isfinite(out)) return fail(ErrorCode::invalid_argument, "the result of `{}` is too large", symbol(op));
  return Value(out);
}

Result<Value> order(Op op, const Value& left, const Value& right) {
  const Type type = type_of(left);
  if (type != type_of(right) || (type != Type::number && type != Type::string)) {
    return fail(ErrorCode::invalid_argument, "`{}` cannot compare {} with {}", symbol(op), described(type),
                described(type_of(right)));
  }
  const int sign = type == Type::number
                       ? compare_numbers(left, right)
                       : left.get_ref<const std::string&>().compare(right.get_ref<const std::string&>());
  switch (op) {
    case Op::less:
      return Value(sign < 0);
    case Op::less_equal:
      return Value(sign <= 0);
    case Op::greater:
      return Value(sign > 0);
    default:
      return Value(sign >= 0);
  }
}

}  // namespace

bool truthy(const Value& value) {
  switch (type_of(value)) {
    case Type::null:
      return false;
    case Type::boolean:
      return value.get<bool>();
    case Type::number:
      return value.get<double>() != 0;
    case Type::string:
      return !value.get_ref<const std::string&>().empty();
    default:
      return true;
  }
}

std::string to_text(const Value& value) {
  switch (type_of(value)) {
    case Type::null:
      return "";
    case Type::string:
      return value.get<std::string>();
    case Type::number:
      return value.is_number_float() ? float_text(value.get<double>()) : value.dump();
    // What is not UTF-8 (outputs may be any bytes) becomes U+FFFD instead of an exception.
    default:
      return value.dump(-1, ' ', false, Value::error_handler_t::replace);
  }
}

std::size_t weight(const Value& value, std::size_t limit) {
  constexpr std::size_t kEach = 8;
  std::size_t total = 0;
  std::vector<const Value*> open{&value};
  while (!open.empty() && total <= limit) {
    const Value& next = *open.back();
    open.pop_back();
    total += kEach;
    if (next.is_string()) total += next.get_ref<const std::string&>().size();
    if (next.is_array()) {
      if (next.size() > limit / kEach) return limit + 1;
      for (const Value& element : next) open.push_back(&element);
    }
    if (next.is_object()) {
      if (next.size() > limit / kEach) return limit + 1;
      for (const auto& [key, element] : next.items()) {
        total += key.size();
        open.push_back(&element);
      }
    }
  }
  return total;
}

bool equal(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == 0;
  return left == right;
}

Result<Value> apply(Op op, const Value& left, const Value& right) {
  switch (op) {
    case Op::equal:
      return Value(equal(left, right));
    case Op::not_equal:
      return Value(!equal(left, right));
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
      return order(op, left, right);
    default:
      break;
  }
  if (left.is_number() && right.is_number()) return arithmetic(op, left, right);
  if (op == Op::add && left.is_string() && right.is_string()) {
    return Value(left.get_ref<const std::string&>() + right.get_ref<const std::string&>());
  }
  if (op == Op::add) {
    return fail(ErrorCode::invalid_argument, "`+` cannot add {} and {}", described(type_of(left)),
                described(type_of(right)));
  }
  return fail(ErrorCode::invalid_argument, "`{}` takes numbers, not {}", symbol(op),
              described(type_of(left.is_number() ? right : left)));
}

}  // namespace baton::workflow
