#include <baton/api/client.hpp>

#include "connection.hpp"

namespace baton::api {

Client::Client(std::string socket_path) : connection_(std::make_unique<Connection>(std::move(socket_path))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::set_timeout(Duration timeout) { connection_->set_timeout(timeout); }

}  // namespace baton::api
