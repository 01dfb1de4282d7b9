#include <baton/base/descriptor.hpp>
#include <baton/service/secrets.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace baton::service {
namespace {

constexpr std::size_t kSecretBytes = 64u << 10;
// Masking "a" or "1" everywhere would only spoil logs.
constexpr std::size_t kMaskedBytes = 4;

// At most one byte more than a secret may have. It may be a link, as where secrets are mounted, but nothing to wait
// for.
Result<std::string> read_secret_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0) {
    return fail(ErrorCode::not_found, "{} cannot be read: {}", path, std::generic_category().message(errno));
  }
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::invalid_argument, "{} is not a regular file", path);
  std::string text(kSecretBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0) return fail(ErrorCode::io, "{} cannot be read: {}", path, std::generic_category().message(errno));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

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
  Result<std::string> contents = read_secret_file(source->second.file);
  if (!contents) return fail(contents.error().code, "secret {}: {}", name, contents.error().message);
  std::string value = *std::move(contents);
  if (value.size() > kSecretBytes) {
    return fail(ErrorCode::limit, "secret {}: {} is longer than 64 KiB", name, source->second.file);
  }
  if (value.ends_with('\n')) value.pop_back();
  if (value.find('\0') != std::string::npos) {
    return fail(ErrorCode::invalid_argument, "secret {}: {} has a zero byte in it", name, source->second.file);
  }
  return value;
}

Result<std::string> Secrets::give(const std::string& name) {
  Result<std::string> given = value(name);
  if (!given || given->size() < kMaskedBytes) return given;
  if (const auto known = std::ranges::find(given_, *given); known != given_.end()) {
    std::rotate(known, known + 1, given_.end());
  } else {
    if (given_.size() == kGivenValues) given_.erase(given_.begin());
    given_.push_back(*given);
  }
  return given;
}

std::vector<std::string> Secrets::values() const {
  std::vector<std::string> values = given_;
  for (const auto& [name, source] : sources_) {
    Result<std::string> text = value(name);
    if (text && text->size() >= kMaskedBytes) values.push_back(std::move(*text));
  }
  std::ranges::sort(values,
                    [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  const auto again = std::ranges::unique(values);
  values.erase(again.begin(), again.end());
  return values;
}

Masker::Masker(std::vector<std::string> values) : values_(std::move(values)) {
  if (!values_.empty()) longest_ = values_.front().size();
}

std::string Masker::feed(std::string_view piece) {
  if (values_.empty()) return std::string(piece);
  held_ += piece;
  return drain(beginnings());
}

std::string Masker::finish() { return drain({}); }

std::string masked(std::string_view text, const std::vector<std::string>& values) {
  Masker masker(values);
  std::string out = masker.feed(text);
  return out + masker.finish();
}

// Where what is held could be the beginning of a value whose rest has yet to come.
std::vector<std::size_t> Masker::beginnings() const {
  std::vector<std::size_t> places;
  const std::string_view held = held_;
  for (std::size_t at = held.size() - std::min(held.size(), longest_ - 1); at < held.size(); ++at) {
    const std::string_view rest = held.substr(at);
    const auto begins = [rest](const std::string& value) {
      return value.size() > rest.size() && value.starts_with(rest);
    };
    if (std::ranges::any_of(values_, begins)) places.push_back(at);
  }
  return places;
}

// Gives out what is before the first of `beginnings` that no value in front of it covers.
std::string Masker::drain(const std::vector<std::size_t>& beginnings) {
  std::string out;
  std::size_t at = 0;
  std::vector<std::size_t> next(values_.size(), 0);  // where each value is next; looked for again when that is passed
  std::vector<bool> looked(values_.size(), false);
  while (at < held_.size()) {
    std::size_t where = std::string::npos;
    std::size_t match = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (!looked[i] || next[i] < at) next[i] = held_.find(values_[i], at);
      looked[i] = true;
      if (next[i] < where) {
        where = next[i];
        match = i;
      }
    }
    const auto beginning = std::ranges::lower_bound(beginnings, at);
    const std::size_t stop = beginning == beginnings.end() ? held_.size() : *beginning;
    if (where >= stop) {
      out.append(held_, at, stop - at);
      at = stop;
      break;
    }
    out.append(held_, at, where - at);
    out += kMask;
    at = where + values_[match].size();
  }
  held_.erase(0, at);
  return out;
}

}  // namespace baton::service
