// Gathers what is wrong with one file.
#pragma once
#include <baton/base/diagnostic.hpp>
#include <baton/base/text.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "source_text.hpp"

namespace baton::workflow {

class Problems {
 public:
  Problems(std::string file, const SourceText& source) : file_(std::move(file)), source_(source) {}

  // At a byte offset. Beyond limits::kDiagnostics errors are only counted; any() and count() are about errors.
  void error(std::size_t offset, std::string message, std::string hint = {});
  void error(SourcePos pos, std::string message, std::string hint = {});
  // What is no reason to refuse the file.
  void warning(std::size_t offset, std::string message);
  // Replaces everything reported so far, when it means that nothing else can be judged.
  void only(std::size_t offset, std::string message, std::string hint = {});
  // Diagnostics of expressions, which come with their position but without the file's name.
  void add(std::vector<Diagnostic> diagnostics);

  [[nodiscard]] bool any() const { return count_ > 0; }
  [[nodiscard]] std::size_t count() const { return count_; }
  // Nothing more will be reported: a reason to stop looking.
  [[nodiscard]] bool full() const;
  // "did you mean `x`?" for the candidate nearest to `word`, "" if there is none. The work over all calls is bounded.
  std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

  [[nodiscard]] const SourceText& source() const { return source_; }
  // Ordered by position, each once.
  std::vector<Diagnostic> take();

 private:
  std::string file_;
  const SourceText& source_;
  std::vector<Diagnostic> diagnostics_;
  std::size_t count_ = 0;
  std::size_t compared_ = 0;
};

}  // namespace baton::workflow
