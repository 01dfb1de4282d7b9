// Bundles as they are stored: canonical JSON, named by its SHA-256, so that the same files are kept once.
#pragma once
#include <baton/base/result.hpp>
#include <baton/store/store.hpp>
#include <baton/workflow/spec.hpp>

#include <memory>
#include <string>
#include <unordered_map>

namespace baton::service {

// Pure; for 16 MiB it takes tens of milliseconds, so not for the event loop. Errors: invalid_argument if a file is not
// UTF-8.
Result<store::Batch::Bundle> encode_bundle(const workflow::Bundle& bundle);
// Errors: corrupt.
Result<workflow::Bundle> decode_bundle(const std::string& contents);

// Parses a stored bundle; `path`: which of its files, empty: the entry. Errors: corrupt, if what was once accepted does
// not validate now. Not for the event loop.
Result<std::shared_ptr<const workflow::WorkflowSpec>> parse_stored(const std::string& contents,
                                                                   const std::string& path);

// The workflows in use, so that runs of the same files share one. Holds none of them itself. On the loop's thread.
class WorkflowCache {
 public:
  std::shared_ptr<const workflow::WorkflowSpec> find(const std::string& hash, const std::string& path) const;
  void insert(const std::string& hash, const std::string& path, std::shared_ptr<const workflow::WorkflowSpec> workflow);

 private:
  std::unordered_map<std::string, std::weak_ptr<const workflow::WorkflowSpec>> workflows_;
  std::size_t sweep_at_ = 64;
};

}  // namespace baton::service
