// The functions of the language, and the words that messages use for types and operators.
#include <fmt/format.h>
#include <baton/base/text.hpp>

#include "expression_program.hpp"

namespace baton::workflow {
namespace {

constexpr unsigned kBoolean = bit(Type::boolean), kNumber = bit(Type::number), kString = bit(Type::string),
                   kList = bit(Type::list), kObject = bit(Type::object);

constexpr std::array<Signature, 17> kSignatures{{
    {Function::success, "success", 0, 0, {0, 0}, Type::boolean, "success()"},
    {Function::failure, "failure", 0, 0, {0, 0}, Type::boolean, "failure()"},
    {Function::always, "always", 0, 0, {0, 0}, Type::boolean, "always()"},
    {Function::cancelled, "cancelled", 0, 0, {0, 0}, Type::boolean, "cancelled()"},
    {Function::contains,
     "contains",
     2,
     2,
     {kString | kList, kAnyType},
     Type::boolean,
     "contains(list or string, item)"},
    {Function::starts_with, "startsWith", 2, 2, {kString, kString}, Type::boolean, "startsWith(string, prefix)"},
    {Function::ends_with, "endsWith", 2, 2, {kString, kString}, Type::boolean, "endsWith(string, suffix)"},
    {Function::format, "format", 1, kAnyNumber, {kString, kAnyType}, Type::string, "format('{0} …', value, …)"},
    {Function::join, "join", 1, 2, {kList, kString}, Type::string, "join(list, separator)"},
    {Function::to_json, "toJSON", 1, 1, {kAnyType, kAnyType}, Type::string, "toJSON(value)"},
    {Function::from_json, "fromJSON", 1, 1, {kString, kString}, Type::any, "fromJSON(string)"},
    {Function::number, "number", 1, 1, {kNumber | kString | kList, 0}, Type::any, "number(string)"},
    {Function::string, "string", 1, 1, {kAnyType, kAnyType}, Type::string, "string(value)"},
    {Function::length, "length", 1, 1, {kString | kList | kObject, 0}, Type::number, "length(string, list or object)"},
    {Function::min, "min", 1, kAnyNumber, {kNumber | kList, kNumber}, Type::number, "min(number, …) or min(list)"},
    {Function::max, "max", 1, kAnyNumber, {kNumber | kList, kNumber}, Type::number, "max(number, …) or max(list)"},
    {Function::default_value, "default", 2, 2, {kAnyType, kAnyType}, Type::any, "default(value, instead of null)"},
}};

}  // namespace

std::span<const Signature> signatures() { return kSignatures; }

const Signature& signature(Function function) { return kSignatures[static_cast<std::size_t>(function)]; }

std::string_view to_string(Type type) {
  switch (type) {
    case Type::any:
      return "any";
    case Type::null:
      return "null";
    case Type::boolean:
      return "boolean";
    case Type::number:
      return "number";
    case Type::string:
      return "string";
    case Type::list:
      return "list";
    case Type::object:
      return "object";
  }
  return "any";
}

std::string_view described(Type type) {
  switch (type) {
    case Type::any:
      return "a value";
    case Type::null:
      return "null";
    case Type::boolean:
      return "a boolean";
    case Type::number:
      return "a number";
    case Type::string:
      return "a string";
    case Type::list:
      return "a list";
    case Type::object:
      return "an object";
  }
  return "a value";
}

std::string described_set(unsigned types) {
  std::vector<std::string_view> words;
  for (const Type type : {Type::boolean, Type::number, Type::string, Type::list, Type::object}) {
    if ((types & bit(type)) != 0) words.push_back(described(type));
  }
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

Type type_of(const Value& value) {
  switch (value.type()) {
    case Value::value_t::boolean:
      return Type::boolean;
    case Value::value_t::number_integer:
    case Value::value_t::number_unsigned:
    case Value::value_t::number_float:
      return Type::number;
    case Value::value_t::string:
      return Type::string;
    case Value::value_t::array:
      return Type::list;
    case Value::value_t::object:
      return Type::object;
    default:
      return Type::null;
  }
}

std::string_view symbol(Op op) {
  switch (op) {
    case Op::negate:
    case Op::subtract:
      return "-";
    case Op::logical_not:
      return "!";
    case Op::add:
      return "+";
    case Op::multiply:
      return "*";
    case Op::divide:
      return "/";
    case Op::remainder:
      return "%";
    case Op::equal:
      return "==";
    case Op::not_equal:
      return "!=";
    case Op::less:
      return "<";
    case Op::less_equal:
      return "<=";
    case Op::greater:
      return ">";
    case Op::greater_equal:
      return ">=";
    default:
      return "";
  }
}

std::string shown(std::string_view name) {
  constexpr std::size_t kLongest = 64;
  if (name.size() <= kLongest) return escape_control(name);
  std::size_t end = kLongest;
  while ((static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return escape_control(name.substr(0, end)) + "…";
}

}  // namespace baton::workflow
