// Between the engine's words and the wire's.
#pragma once
#include <baton/engine/effect.hpp>
#include <baton/engine/event.hpp>
#include <baton/wire/messages.hpp>

#include <string>
#include <vector>

namespace baton::executor {

inline constexpr std::size_t kMessageBytes = 4u << 10;  // what a worker says for people of one attempt
inline constexpr std::size_t kWorkerResources = 256;    // kinds of resources of one worker
inline constexpr std::size_t kWordBytes = 256;          // a name that a worker has for itself, its host or a device
inline constexpr std::size_t kWorkerGpus = 64;

workflow::Resources to_resources(const wire::Capacity& capacity);
wire::Capacity to_capacity(const workflow::Resources& resources);
engine::LogPlace to_place(const wire::LogExtent& extent);
wire::LogExtent to_extent(const engine::LogPlace& place);

wire::Launch to_wire(engine::Launch launch);
wire::Kill to_wire(const engine::Kill& kill);

// What a worker says for people: UTF-8, at most kMessageBytes of what it said.
std::string bounded_text(std::string told);
// What it says of itself, each word in one short line.
void bound_words(wire::Welcome& welcome);

// A worker is not trusted: whatever it says, what comes out of these fits the database and is safe to reckon with.
// Times lie between 1970 and 9999, numbers fit 64 bits with a sign, texts are UTF-8 and not long.
engine::AttemptStarted to_started(WorkerId worker, const wire::Started& started);

// An outcome's class; none for `exited` with code 0.
workflow::FailureClass to_failure(const wire::Outcome& outcome);
// A success with outputs that no task can have written is a failure.
engine::AttemptEnded to_ended(WorkerId worker, AttemptId attempt, wire::Outcome outcome);

// WorkerUp, then a start or an end for each inventory entry that has one.
std::vector<engine::Event> welcome_events(WorkerId worker, const std::string& name,
                                          const std::vector<std::string>& labels, bool rebooted, wire::Welcome welcome);

}  // namespace baton::executor
