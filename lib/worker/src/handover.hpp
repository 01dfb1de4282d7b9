// What attach and the supervisor say to each other on the supervisor's socket.
//
// The supervisor greets with kSupervisorServes. attach then sends one byte with three descriptors: its stdin, its
// stdout, and the program file, so that a session is always of the version of whoever attaches, however old the
// supervisor is. The supervisor answers kSessionRuns when it has forked the session and kSessionEnded when that has
// ended, and closes.
//
// Before the greeting attach may try again: the supervisor may just have been leaving. After it never: a session may
// have the streams already, and two of them would share what the daemon says.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>

#include <array>

namespace baton::worker {

inline constexpr const char* kSupervisorSocket = "supervisor.sock";
inline constexpr char kSupervisorServes = 'S';
inline constexpr char kAttach = 'A';
inline constexpr char kSessionRuns = 'R';
inline constexpr char kSessionEnded = 'E';
inline constexpr std::size_t kHandedOver = 3;

// Both work on the socket's name in the current folder: sun_path has room for 108 bytes only.
Result<Descriptor> listen_here();
// Both ends do not block. Error limit: somebody listens, and has not accepted many others yet.
Result<Descriptor> connect_here();

Result<void> send_descriptors(int socket, const std::array<int, kHandedOver>& descriptors);
// Error unavailable: the peer has closed or sent something else.
Result<std::array<Descriptor, kHandedOver>> receive_descriptors(int socket);

}  // namespace baton::worker
