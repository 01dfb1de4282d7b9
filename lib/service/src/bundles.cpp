#include <baton/service/bundles.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <openssl/evp.h>
#include <algorithm>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

namespace baton::service {
namespace {

Result<std::string> sha256_hex(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) != 1) {
    return fail(ErrorCode::internal, "SHA-256 is not available");
  }
  return fmt::format("{:02x}", fmt::join(std::span(digest, size), ""));
}

std::string cache_key(const std::string& hash, const std::string& path) { return hash + ":" + path; }

}  // namespace

Result<store::Batch::Bundle> encode_bundle(const workflow::Bundle& bundle) {
  try {
    // nlohmann's objects keep their keys sorted: the same files always give the same text.
    std::string contents = nlohmann::json{{"entry", bundle.entry}, {"files", bundle.files}}.dump();
    Result<std::string> hash = sha256_hex(contents);
    if (!hash) return std::unexpected(hash.error());
    return store::Batch::Bundle{.hash = std::move(*hash), .contents = std::move(contents)};
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::invalid_argument, "the workflow's files are not UTF-8 text");
  }
}

Result<workflow::Bundle> decode_bundle(const std::string& contents) {
  try {
    const nlohmann::json json = nlohmann::json::parse(contents);
    return workflow::Bundle{.entry = json.at("entry").get<std::string>(),
                            .files = json.at("files").get<std::map<std::string, std::string>>()};
  } catch (const nlohmann::json::exception& error) {
    return fail(ErrorCode::corrupt, "the stored workflow cannot be read: {}", error.what());
  }
}

Result<std::shared_ptr<const workflow::WorkflowSpec>> parse_stored(const std::string& contents,
                                                                   const std::string& path) {
  Result<workflow::Bundle> bundle = decode_bundle(contents);
  if (!bundle) return std::unexpected(bundle.error());
  if (!path.empty()) bundle->entry = path;
  workflow::ParseResult parsed = workflow::parse_bundle(*bundle);
  if (parsed.workflow) return std::move(parsed.workflow);
  const auto error = std::ranges::find(parsed.diagnostics, Severity::error, &Diagnostic::severity);
  if (error == parsed.diagnostics.end()) return fail(ErrorCode::corrupt, "the stored workflow does not validate");
  return fail(ErrorCode::corrupt, "the stored workflow does not validate: {}:{}:{}: {}", error->file, error->pos.line,
              error->pos.column, error->message);
}

std::shared_ptr<const workflow::WorkflowSpec> WorkflowCache::find(const std::string& hash,
                                                                  const std::string& path) const {
  const auto found = workflows_.find(cache_key(hash, path));
  return found == workflows_.end() ? nullptr : found->second.lock();
}

void WorkflowCache::insert(const std::string& hash, const std::string& path,
                           std::shared_ptr<const workflow::WorkflowSpec> workflow) {
  if (workflows_.size() >= sweep_at_) {
    std::erase_if(workflows_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, workflows_.size() * 2);
  }
  workflows_.insert_or_assign(cache_key(hash, path), std::move(workflow));
}

}  // namespace baton::service
