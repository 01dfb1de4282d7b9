#include <baton/base/umask.hpp>
#include <baton/worker/environment.hpp>

namespace baton::worker {
namespace {

constexpr std::string_view kUsualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

}  // namespace

Environment::Environment(const char* const* entries) {
  const std::string umask = std::string(kUmaskVariable) + '=';
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    if (!std::string_view(*entries).starts_with(umask)) entries_.emplace_back(*entries);
  }
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::size_t equals = entries_[i].find('=');
    if (equals != std::string::npos) index_.emplace(std::string_view(entries_[i]).substr(0, equals), i);
  }
}

EnvironmentBlock Environment::compose(const Variables& launch, const Variables& worker) const {
  EnvironmentBlock block;
  // In the order of precedence, so that the first of a name is the one that counts.
  std::unordered_map<std::string_view, bool> seen;
  std::vector<bool> hidden(entries_.size());
  block.entries_.reserve(launch.size() + worker.size());
  const auto add = [&](const std::pair<std::string, std::string>& variable) {
    if (!seen.emplace(variable.first, true).second) return;
    block.entries_.push_back(variable.first + '=' + variable.second);
    if (const auto own = index_.find(variable.first); own != index_.end()) hidden[own->second] = true;
  };
  for (const auto& variable : worker) add(variable);
  for (auto variable = launch.rbegin(); variable != launch.rend(); ++variable) add(*variable);
  block.pointers_.reserve(block.entries_.size() + entries_.size() + 1);
  for (std::string& entry : block.entries_) block.pointers_.push_back(entry.data());
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    // execve does not write to them; its type is older than const.
    if (!hidden[i]) block.pointers_.push_back(const_cast<char*>(entries_[i].c_str()));
  }
  block.pointers_.push_back(nullptr);
  return block;
}

std::string_view Environment::search_path(const Variables& launch) const {
  for (auto variable = launch.rbegin(); variable != launch.rend(); ++variable) {
    if (variable->first == "PATH") return variable->second;
  }
  const auto own = index_.find("PATH");
  if (own == index_.end()) return kUsualPath;
  return std::string_view(entries_[own->second]).substr(sizeof "PATH=" - 1);
}

}  // namespace baton::worker
