#include "problems.hpp"

#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <algorithm>

namespace baton::workflow {
namespace {

constexpr std::size_t kComparisons = 500'000;  // a fraction of a second

}  // namespace

bool Problems::full() const { return diagnostics_.size() >= limits::kDiagnostics; }

void Problems::error(std::size_t offset, std::string message, std::string hint) {
  error(source_.pos(offset), std::move(message), std::move(hint));
}

void Problems::error(SourcePos pos, std::string message, std::string hint) {
  ++count_;
  if (full()) return;
  diagnostics_.push_back({Severity::error, file_, pos, std::move(message), std::move(hint)});
}

void Problems::warning(std::size_t offset, std::string message) {
  if (full()) return;
  diagnostics_.push_back({Severity::warning, file_, source_.pos(offset), std::move(message), {}});
}

void Problems::only(std::size_t offset, std::string message, std::string hint) {
  diagnostics_.clear();
  count_ = 0;
  error(offset, std::move(message), std::move(hint));
}

void Problems::add(std::vector<Diagnostic> diagnostics) {
  for (Diagnostic& diagnostic : diagnostics) {
    ++count_;
    if (full()) return;
    diagnostic.file = file_;
    diagnostics_.push_back(std::move(diagnostic));
  }
}

std::string Problems::did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  if (full() || compared_ + candidates.size() > kComparisons) return {};
  compared_ += candidates.size();
  const auto best = nearest(word, candidates);
  return best ? fmt::format("did you mean `{}`?", *best) : std::string();
}

std::vector<Diagnostic> Problems::take() {
  const bool was_full = full();
  std::stable_sort(diagnostics_.begin(), diagnostics_.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.pos < b.pos; });
  diagnostics_.erase(std::unique(diagnostics_.begin(), diagnostics_.end()), diagnostics_.end());
  if (was_full) {
    diagnostics_.push_back({Severity::error,
                            file_,
                            {},
                            fmt::format("there may be more errors: these are the first {}", limits::kDiagnostics),
                            {}});
  }
  return std::move(diagnostics_);
}

}  // namespace baton::workflow
