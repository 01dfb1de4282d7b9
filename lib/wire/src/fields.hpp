// The members of every message, in the order in which they travel.
#pragma once
#include <baton/wire/messages.hpp>

namespace baton::wire {

constexpr ExitCause last_of(ExitCause) { return ExitCause::preempted; }
constexpr AttemptPhase last_of(AttemptPhase) { return AttemptPhase::exited; }

template <class T, class M>
concept Message = std::is_same_v<std::remove_const_t<T>, M>;

template <class Archive, class... Members>
void walk(Archive& archive, Members&... members) {
  (archive(members), ...);
}

template <class A, Message<LogExtent> M>
void fields(A& a, M& m) {
  walk(a, m.segment, m.from, m.to);
}
template <class A, Message<Capacity> M>
void fields(A& a, M& m) {
  walk(a, m.cpu_milli, m.memory_bytes, m.gpu_milli, m.custom_milli);
}
template <class A, Message<Outcome> M>
void fields(A& a, M& m) {
  walk(a, m.cause, m.detail, m.message, m.outputs, m.log, m.started_at, m.ended_at, m.user_us, m.system_us,
       m.max_rss_bytes);
}
template <class A, Message<InventoryEntry> M>
void fields(A& a, M& m) {
  walk(a, m.attempt, m.phase, m.started_at, m.log, m.outcome);
}
template <class A, Message<Hello> M>
void fields(A& a, M& m) {
  walk(a, m.protocol, m.daemon_id, m.incarnation, m.capacity);
}
template <class A, Message<Launch> M>
void fields(A& a, M& m) {
  walk(a, m.attempt, m.label, m.argv, m.script, m.env, m.working_dir, m.outputs, m.timeout, m.grace, m.needs);
}
template <class A, Message<Kill> M>
void fields(A& a, M& m) {
  walk(a, m.attempt, m.cause);
}
template <class A, Message<Forget> M>
void fields(A& a, M& m) {
  walk(a, m.attempts);
}
template <class A, Message<ReadLog> M>
void fields(A& a, M& m) {
  walk(a, m.request, m.extent, m.max_bytes, m.from_end);
}
template <class A, Message<Ping> M>
void fields(A& /*a*/, M& /*m*/) {}
template <class A, Message<Pong> M>
void fields(A& /*a*/, M& /*m*/) {}
template <class A, Message<Welcome> M>
void fields(A& a, M& m) {
  walk(a, m.protocol, m.version, m.host, m.boot_id, m.capacity, m.gpus, m.containment, m.inventory);
}
template <class A, Message<Refused> M>
void fields(A& a, M& m) {
  walk(a, m.reason);
}
template <class A, Message<Started> M>
void fields(A& a, M& m) {
  walk(a, m.attempt, m.at, m.pid, m.log);
}
template <class A, Message<Exited> M>
void fields(A& a, M& m) {
  walk(a, m.attempt, m.outcome);
}
template <class A, Message<LogData> M>
void fields(A& a, M& m) {
  walk(a, m.request, m.offset, m.bytes, m.end, m.error);
}

}  // namespace baton::wire
