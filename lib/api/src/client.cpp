#include <baton/api/client.hpp>

#include "connection.hpp"

namespace baton::api {

Client::Client(std::string socket_path) : connection_(std::make_unique<Connection>(std::move(socket_path))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::set_timeout(Duration timeout) { connection_->set_timeout(timeout); }
void Client::on_slow(Duration patience, std::function<void(std::int64_t)> say) {
  connection_->on_slow(patience, std::move(say));
}

}  // namespace baton::api
