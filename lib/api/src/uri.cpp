#include "uri.hpp"

#include <baton/base/text.hpp>

#include <cstdint>

namespace baton::api {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(ErrorCode::invalid_argument, "the request's target has a broken % sequence");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  if (out.find('\0') != std::string::npos || !is_valid_utf8(out)) {
    return fail(ErrorCode::invalid_argument, "the request's target is not text");
  }
  return out;
}

Result<> parse_query(std::string_view text, std::vector<std::pair<std::string, std::string>>& out) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    if (!name) return std::unexpected(name.error());
    auto value = percent_decode(equals == pair.npos ? std::string_view() : pair.substr(equals + 1), true);
    if (!value) return std::unexpected(value.error());
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

}  // namespace

Result<ParsedTarget> parse_target(std::string_view target) {
  if (target.starts_with("http://")) {  // the absolute form of RFC 9112, 3.2.2
    const std::size_t slash = target.find('/', 7);
    target = slash == target.npos ? std::string_view("/") : target.substr(slash);
  }
  if (!target.starts_with('/')) return fail(ErrorCode::invalid_argument, "the request's target is not a path");
  ParsedTarget out;
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(1, mark == target.npos ? mark : mark - 1);
  for (;;) {
    const std::size_t slash = path.find('/');
    auto segment = percent_decode(path.substr(0, slash), false);
    if (!segment) return std::unexpected(segment.error());
    out.segments.push_back(std::move(*segment));
    if (slash == path.npos) break;
    path.remove_prefix(slash + 1);
  }
  if (mark != target.npos) {
    if (auto parsed = parse_query(target.substr(mark + 1), out.query); !parsed) return std::unexpected(parsed.error());
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Target::Target(std::string_view pattern, std::initializer_list<std::string_view> captures) {
  auto capture = captures.begin();
  while (!pattern.empty()) {
    const std::size_t open = pattern.find('{');
    text_ += pattern.substr(0, open);
    if (open == pattern.npos) break;
    if (capture != captures.end()) text_ += percent_encode(*capture++);
    pattern.remove_prefix(pattern.find('}', open) + 1);
  }
}

Target& Target::with(std::string_view name, std::string_view value) {
  text_ += has_query_ ? '&' : '?';
  has_query_ = true;
  text_ += percent_encode(name);
  text_ += '=';
  text_ += percent_encode(value);
  return *this;
}

Target& Target::with_text(std::string_view name, std::string_view value) {
  return value.empty() ? *this : with(name, value);
}

Target& Target::with_number(std::string_view name, std::uint64_t value) {
  return value == 0 ? *this : with(name, std::to_string(value));
}

Target& Target::with_flag(std::string_view name, bool value) { return value ? with(name, "true") : *this; }

}  // namespace baton::api
