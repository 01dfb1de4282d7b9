// The one table of what may be asked. What is not in it does not exist; nobody may do what the table does not grant.
#pragma once
#include <baton/api/backend.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reply.hpp"
#include "request.hpp"

namespace baton::api {

enum class Permission : unsigned {
  read = 1,        // look at anything
  change = 2,      // submit, cancel, retry
  decide = 4,      // approve, reject
  administer = 8,  // end the daemon
};

// What a peer may do: a set of permissions.
class Grants {
 public:
  static constexpr Grants none() { return Grants(0); }
  static constexpr Grants all() { return Grants(15); }
  [[nodiscard]] constexpr bool may(Permission permission) const {
    return (bits_ & static_cast<unsigned>(permission)) != 0;
  }

 private:
  constexpr explicit Grants(unsigned bits) : bits_(bits) {}
  unsigned bits_;
};

struct Route {
  std::string_view method;
  std::string_view path;  // "/v1/runs/{ref}/cancel"
  Permission permission;
  // Answers through `reply`, now or later. May throw.
  void (*handle)(const Request& request, Backend& backend, const Reply& reply);
};

std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;       // null: no such path, or not with this method
  std::vector<std::string> captures;  // of `{…}`, in order
  std::string allow;                  // the path's methods, if it exists but not with this one
};
// Each decoded segment must equal the pattern's, or be not empty where the pattern has `{…}`.
Match match(std::string_view method, std::span<const std::string> segments);

}  // namespace baton::api
