// The functions that depend on nothing but their arguments.
#include <fmt/format.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "expression_program.hpp"

namespace baton::workflow {
namespace {

const std::string& text_of(const Value& value) { return value.get_ref<const std::string&>(); }

std::unexpected<Error> too_large() {
  return fail(ErrorCode::limit, "a value would be larger than {} bytes", limits::kExpressionValueBytes);
}

Result<Value> to_number(const Value& value) {
  if (value.is_number()) return value;
  if (!value.is_string()) {
    return fail(ErrorCode::invalid_argument, "number() cannot read {}", described(type_of(value)));
  }
  std::string_view digits = text_of(value);
  const std::size_t first = std::min(digits.find_first_not_of(" \t\r\n"), digits.size());
  digits = digits.substr(first, digits.find_last_not_of(" \t\r\n") + 1 - first);
  const std::string_view unsigned_part = digits.substr(digits.starts_with('-') ? 1 : 0);
  const char* const last = digits.data() + digits.size();
  // from_chars would read `inf` and `nan` too.
  if (!unsigned_part.empty() && unsigned_part.front() >= '0' && unsigned_part.front() <= '9') {
    std::int64_t integer = 0;
    const auto whole = std::from_chars(digits.data(), last, integer);
    if (whole.ec == std::errc{} && whole.ptr == last) return Value(integer);
    double real = 0;
    const auto parsed = std::from_chars(digits.data(), last, real);
    if (parsed.ec == std::errc{} && parsed.ptr == last && std::isfinite(real)) return Value(real);
  }
  return fail(ErrorCode::invalid_argument, "`{}` is not a number", shown(text_of(value)));
}

Result<Value> number(const Value& value) {
  if (!value.is_array()) return to_number(value);
  Value out = Value::array();
  for (const Value& element : value) {
    Result<Value> converted = to_number(element);
    if (!converted) return converted;
    out.push_back(*std::move(converted));
  }
  return out;
}

Result<Value> contains(const Value& within, const Value& item) {
  if (within.is_array()) {
    return Value(std::any_of(within.begin(), within.end(), [&](const Value& element) { return equal(element, item); }));
  }
  if (!item.is_string()) {
    return fail(ErrorCode::invalid_argument, "a string contains strings, not {}", described(type_of(item)));
  }
  return Value(text_of(within).find(text_of(item)) != std::string::npos);
}

// Calls literal(text) and field(index) for the pieces of a format() text.
Result<void> format_pieces(std::string_view text, auto literal, auto field) {
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find_first_of("{}"), text.size());
    literal(text.substr(0, brace));
    text.remove_prefix(brace);
    if (text.empty()) break;
    if (text.starts_with("{{") || text.starts_with("}}")) {
      literal(text.substr(0, 1));
      text.remove_prefix(2);
      continue;
    }
    std::size_t index = 0;
    const char* const last = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + 1, last, index);
    if (text.front() == '}' || error != std::errc{} || stop == last || *stop != '}' ||
        index > limits::kExpressionBytes) {
      return fail(ErrorCode::invalid_argument, "format() has no field like `{}`; a brace is written twice",
                  shown(text.substr(0, text.find('}') == std::string_view::npos ? 8 : text.find('}') + 1)));
    }
    field(index);
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  }
  return {};
}

Result<Value> format(std::span<const Value* const> args) {
  std::string out;
  std::optional<std::size_t> missing;
  const auto append = [&](std::string_view text) {
    if (out.size() <= limits::kExpressionValueBytes) out += text;
  };
  const auto field = [&](std::size_t index) {
    if (index + 1 >= args.size()) {
      missing = index;
    } else if (args[index + 1]->is_string()) {
      append(text_of(*args[index + 1]));
    } else if (out.size() <= limits::kExpressionValueBytes) {
      append(to_text(*args[index + 1]));
    }
  };
  if (const Result<void> done = format_pieces(text_of(*args[0]), append, field); !done) {
    return std::unexpected(done.error());
  }
  if (missing) {
    return fail(ErrorCode::invalid_argument, "`{{{}}}` has no argument: {} given", *missing, args.size() - 1);
  }
  if (out.size() > limits::kExpressionValueBytes) return too_large();
  return Value(std::move(out));
}

Result<Value> join(std::span<const Value* const> args) {
  const std::string_view separator = args.size() == 2 ? std::string_view(text_of(*args[1])) : ",";
  std::string out;
  bool first = true;
  for (const Value& element : *args[0]) {
    if (!std::exchange(first, false)) out += separator;
    out += to_text(element);
    if (out.size() > limits::kExpressionValueBytes) return too_large();
  }
  return Value(std::move(out));
}

// The deepest nesting of brackets outside of strings.
std::size_t json_depth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

Result<Value> from_json(const std::string& text) {
  if (json_depth(text) > limits::kJsonDepth) {
    return fail(ErrorCode::limit, "fromJSON() reads at most {} levels of nesting", limits::kJsonDepth);
  }
  Value value = Value::parse(text, nullptr, false);
  if (value.is_discarded()) return fail(ErrorCode::invalid_argument, "fromJSON() cannot read `{}`", shown(text));
  return value;
}

std::size_t length(const Value& value) {
  if (!value.is_string()) return value.size();
  const std::string& text = text_of(value);
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Result<Value> extreme(Function function, std::span<const Value* const> args) {
  const std::string_view name = signature(function).name;
  std::vector<const Value*> elements(args.begin(), args.end());
  if (args.size() == 1 && args[0]->is_array()) {
    elements.clear();
    for (const Value& element : *args[0]) elements.push_back(&element);
    if (elements.empty()) return fail(ErrorCode::invalid_argument, "{}() of an empty list", name);
  }
  const Value* best = nullptr;
  for (const Value* element : elements) {
    if (!element->is_number()) {
      return fail(ErrorCode::invalid_argument, "{}() takes numbers, not {}", name, described(type_of(*element)));
    }
    const Op better = function == Function::min ? Op::less : Op::greater;
    if (best == nullptr || apply(better, *element, *best)->get<bool>()) best = element;
  }
  return *best;
}

}  // namespace

Result<std::size_t> format_arguments(std::string_view text) {
  std::size_t used = 0;
  const Result<void> done =
      format_pieces(text, [](std::string_view) {}, [&](std::size_t index) { used = std::max(used, index + 1); });
  if (!done) return std::unexpected(done.error());
  return used;
}

Result<Value> call(Function function, std::span<const Value* const> args) {
  switch (function) {
    case Function::contains:
      return contains(*args[0], *args[1]);
    case Function::starts_with:
      return Value(text_of(*args[0]).starts_with(text_of(*args[1])));
    case Function::ends_with:
      return Value(text_of(*args[0]).ends_with(text_of(*args[1])));
    case Function::format:
      return format(args);
    case Function::join:
      return join(args);
    case Function::to_json:
      return Value(args[0]->dump(-1, ' ', false, Value::error_handler_t::replace));
    case Function::from_json:
      return from_json(text_of(*args[0]));
    case Function::number:
      return number(*args[0]);
    case Function::string:
      return Value(to_text(*args[0]));
    case Function::length:
      return Value(static_cast<std::int64_t>(length(*args[0])));
    case Function::min:
    case Function::max:
      return extreme(function, args);
    case Function::default_value:
      return args[0]->is_null() ? *args[1] : *args[0];
    default:
      return fail(ErrorCode::internal, "`{}` is not a function of its arguments", signature(function).name);
  }
}

}  // namespace baton::workflow
