#include "handover.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace baton::worker {
namespace {

sockaddr_un socket_address() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kSupervisorSocket);
  return address;
}

union ControlBuffer {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int) * kHandedOver)];
};

}  // namespace

Result<Descriptor> listen_here() {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = socket_address();
  ::unlink(kSupervisorSocket);
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 64) != 0) {
    return fail_errno(errno, kSupervisorSocket);
  }
  return socket;
}

Result<Descriptor> connect_here() {
  // Not blocking: where many wait to be accepted, connect(2) would wait with them.
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = socket_address();
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EAGAIN) return fail(ErrorCode::limit, "{}: the supervisor does not answer", kSupervisorSocket);
    return fail_errno(errno, kSupervisorSocket);
  }
  return socket;
}

Result<void> send_descriptors(int socket, const std::array<int, kHandedOver>& descriptors) {
  char byte = kAttach;
  iovec data{&byte, 1};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptors);
  std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof descriptors);
  if (::sendmsg(socket, &message, MSG_NOSIGNAL) != 1) return fail_errno(errno, kSupervisorSocket);
  return {};
}

Result<std::array<Descriptor, kHandedOver>> receive_descriptors(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return fail_errno(errno, kSupervisorSocket);
  std::array<Descriptor, kHandedOver> descriptors;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::array<int, kHandedOver> raw;
    std::memcpy(raw.data(), CMSG_DATA(header), std::min(count, kHandedOver) * sizeof(int));
    for (std::size_t i = 0; i < std::min(count, kHandedOver); ++i) descriptors[i].reset(raw[i]);
  }
  if (got != 1 || byte != kAttach || !descriptors.back()) {
    return fail(ErrorCode::unavailable, "the peer did not hand over its streams");
  }
  return descriptors;
}

}  // namespace baton::worker
