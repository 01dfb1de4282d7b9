// Secrets: where their values come from, and how they are kept out of what leaves the daemon.
#pragma once
#include <baton/base/result.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace baton::service {

// Exactly one of the two is set.
struct SecretSource {
  std::string env;   // a variable of the daemon's environment
  std::string file;  // absolute path; a final newline is not part of the value
  bool operator==(const SecretSource&) const = default;
};

class Secrets {
 public:
  explicit Secrets(std::map<std::string, SecretSource> sources = {}) : sources_(std::move(sources)) {}
  // What was given stays known.
  void configure(std::map<std::string, SecretSource> sources) { sources_ = std::move(sources); }
  // For a task. Read anew each time, so that a rotated secret is used at once. Errors name the secret, never a value.
  [[nodiscard]] Result<std::string> give(const std::string& name);
  // All values that can be read now, and those that were given before they were changed or taken away (the last
  // kGivenValues), as far as they are long enough to be told from ordinary text, longest first.
  [[nodiscard]] std::vector<std::string> values() const;

  static constexpr std::size_t kGivenValues = 256;

 private:
  [[nodiscard]] Result<std::string> value(const std::string& name) const;
  std::map<std::string, SecretSource> sources_;
  std::vector<std::string> given_;  // the latest last, each once
};

// Replaces secrets in a text that comes in pieces. A value cut in two by a piece's end is found too.
class Masker {
 public:
  static constexpr std::string_view kMask = "***";
  explicit Masker(std::vector<std::string> values);
  // What of the text so far cannot be the beginning of a value any more, masked.
  std::string feed(std::string_view piece);
  // The rest.
  std::string finish();
  [[nodiscard]] bool idle() const { return values_.empty(); }

 private:
  [[nodiscard]] std::vector<std::size_t> beginnings() const;
  std::string drain(const std::vector<std::size_t>& beginnings);
  std::vector<std::string> values_;
  std::size_t longest_ = 0;
  std::string held_;
};

// A text that is complete. `values` as Secrets::values() gives them.
std::string masked(std::string_view text, const std::vector<std::string>& values);

}  // namespace baton::service
