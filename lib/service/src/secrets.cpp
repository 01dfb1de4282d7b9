#include <baton/service/secrets.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace baton::service {
namespace {

constexpr std::size_t kSecretBytes = 64u << 10;
// Masking "a" or "1" everywhere would only spoil logs.
constexpr std::size_t kMaskedBytes = 4;

}  // namespace

Result<std::string> Secrets::value(const std::string& name) const {
  const auto source = sources_.find(name);
  if (source == sources_.end()) return fail(ErrorCode::not_found, "secret {} is not configured", name);
  if (!source->second.env.empty()) {
    const char* value = std::getenv(source->second.env.c_str());
    if (value == nullptr) {
      return fail(ErrorCode::not_found, "secret {}: the daemon's environment has no {}", name, source->second.env);
    }
    return std::string(value);
  }
  std::ifstream file(source->second.file, std::ios::binary);
  if (!file) return fail(ErrorCode::not_found, "secret {}: {} cannot be read", name, source->second.file);
  std::string value(kSecretBytes + 1, '\0');
  file.read(value.data(), static_cast<std::streamsize>(value.size()));
  value.resize(static_cast<std::size_t>(file.gcount()));
  if (value.size() > kSecretBytes) {
    return fail(ErrorCode::limit, "secret {}: {} is longer than 64 KiB", name, source->second.file);
  }
  if (value.ends_with('\n')) value.pop_back();
  if (value.find('\0') != std::string::npos) {
    return fail(ErrorCode::invalid_argument, "secret {}: {} has a zero byte in it", name, source->second.file);
  }
  return value;
}

std::vector<std::string> Secrets::values() const {
  std::vector<std::string> values;
  for (const auto& [name, source] : sources_) {
    Result<std::string> text = value(name);
    if (text && text->size() >= kMaskedBytes) values.push_back(std::move(*text));
  }
  std::ranges::sort(values, [](const auto& a, const auto& b) { return a.size() > b.size(); });
  return values;
}

Masker::Masker(std::vector<std::string> values) : values_(std::move(values)) {
  if (!values_.empty()) longest_ = values_.front().size();
}

std::string Masker::feed(std::string_view piece) {
  if (values_.empty()) return std::string(piece);
  held_ += piece;
  return drain(longest_ - 1);
}

std::string Masker::finish() { return drain(0); }

// Gives out all but the last `keep` bytes; a value that begins before them is masked whole.
std::string Masker::drain(std::size_t keep) {
  std::string out;
  std::size_t at = 0;
  const std::size_t stop = held_.size() > keep ? held_.size() - keep : 0;
  while (at < stop) {
    const std::string* match = nullptr;
    std::size_t where = std::string::npos;
    for (const std::string& value : values_) {
      const std::size_t found = held_.find(value, at);
      if (found < where) {
        where = found;
        match = &value;
      }
    }
    if (match == nullptr || where >= stop) {
      out.append(held_, at, stop - at);
      at = stop;
      break;
    }
    out.append(held_, at, where - at);
    out += kMask;
    at = where + match->size();
  }
  held_.erase(0, at);
  return out;
}

}  // namespace baton::service
