// Every bound on what comes from outside, in one place. Each is tested where it is enforced.
#pragma once
#include <cstddef>
#include <cstdint>

namespace baton::limits {

// The workflow language.
inline constexpr std::size_t kWorkflowFileBytes = 16u << 20;
inline constexpr std::size_t kYamlDepth = 64;
inline constexpr std::size_t kYamlNodes = 4'000'000;
inline constexpr std::size_t kYamlAliasExpansion = 100'000;  // nodes that aliases may add to a document
inline constexpr std::size_t kYamlAliasBytes = 64u << 20;    // and their text: who reads the document copies it
inline constexpr std::size_t kDiagnostics = 100;             // reported for one file
inline constexpr std::size_t kTasks = 200'000;
inline constexpr std::size_t kInheritedEntries = 1'000'000;  // of `defaults`, copied to all tasks
inline constexpr std::size_t kInheritedBytes = 64u << 20;    // of their text
inline constexpr std::size_t kInstancesPerTask = 1'000'000;
inline constexpr std::size_t kExpressions = 1'000'000;  // in one file; each takes some hundred bytes
inline constexpr std::size_t kTextExpressions = 1'000;  // in one text
inline constexpr std::size_t kExpressionBytes = 64u << 10;
inline constexpr std::size_t kExpressionDepth = 64;
inline constexpr std::size_t kExpressionSteps = 100'000;
inline constexpr std::size_t kExpressionValueBytes = 16u << 20;  // a value that an expression builds
inline constexpr std::size_t kOutputs = 1'000;                   // of a task, and of a workflow
inline constexpr std::size_t kParamValueBytes = 64u << 10;
inline constexpr std::size_t kPatternBytes = 512;
inline constexpr std::size_t kPatternValueBytes = 1u << 10;  // of a value that is matched with a pattern
inline constexpr std::size_t kPatternParts = 1'000;          // once its counts are written out; a{9} has nine
inline constexpr std::size_t kAllPatternParts = 8'000;       // of a workflow
inline constexpr std::size_t kPatternValues = 100;           // in the `enum` of a parameter with a pattern
inline constexpr std::size_t kUsesDepth = 8;
inline constexpr std::size_t kBundleFiles = 256;
inline constexpr std::size_t kLabels = 64;  // of a workflow, and of a submission
inline constexpr std::size_t kLabelBytes = 256;
inline constexpr std::size_t kNameBytes = 64;         // and of an id
inline constexpr std::size_t kIdentifierBytes = 256;  // environment variables, parameters, outputs

// What a task sends back.
inline constexpr std::size_t kOutputFileBytes = 1u << 20;
inline constexpr std::size_t kRunOutputBytes = 64u << 20;    // of all tasks of a run: in memory while it runs
inline constexpr std::uint64_t kAttemptLogBytes = 1u << 30;  // on disk; the middle of a longer log is left out
inline constexpr long kAttemptProcesses = 32'768;            // where the kernel's pids controller is to be had
inline constexpr std::size_t kTaskEnvBytes = 96u << 10;      // beside what Linux allows: 128 KiB for one string

// HTTP.
inline constexpr std::size_t kHttpBodyBytes = 32u << 20;
inline constexpr std::size_t kHttpHeaderBytes = 16u << 10;
inline constexpr std::size_t kHttpConnections = 1'024;
inline constexpr std::size_t kJsonDepth = 64;
inline constexpr std::size_t kJsonValues = 1'000'000;  // an empty list takes 3 bytes in a body and about 60 in memory
inline constexpr std::size_t kPageSize = 1'000;
inline constexpr std::size_t kPageBytes = 8u << 20;    // of stored text; a page has one item at least
inline constexpr std::size_t kEventTail = 10'000;      // the last events, which are one piece
inline constexpr std::size_t kRemarkBytes = 4u << 10;  // the reason of a cancel, the comment of a decision

// Frames between batond and a worker session.
inline constexpr std::size_t kFrameBytes = 16u << 20;
inline constexpr std::size_t kLogChunkBytes = 256u << 10;

// What a daemon says that writes its log itself: one file, and so many before it.
inline constexpr std::size_t kDaemonLogBytes = 8u << 20;
inline constexpr std::size_t kDaemonLogsBefore = 4;
// What a worker's programs say of their own problems.
inline constexpr std::int64_t kSupervisorLogBytes = 1 << 20;

// Queues inside the daemon.
inline constexpr std::size_t kEventQueue = 65'536;
// One batch is on its way to the disk while the next one is queued behind it; more would only make batches smaller.
inline constexpr std::size_t kCommitsInFlight = 2;
// Kept in memory for followers, all together. Nothing is queued for one of them: a stream is pulled as fast as it is
// read, and who is slower than this reads from the store.
inline constexpr std::size_t kRecentEvents = 16'384;
inline constexpr std::size_t kActiveRuns = 10'000;

}  // namespace baton::limits
