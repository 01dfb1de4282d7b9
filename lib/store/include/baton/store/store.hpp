// The state of every run in one SQLite file. One thread writes; a second one answers questions with a read-only
// connection, so that neither ever blocks the event loop.
#pragma once
#include <baton/base/result.hpp>
#include <baton/engine/engine.hpp>
#include <baton/store/queries.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace baton::store {

// Runs a completion on the caller's event loop. Called from the store's threads.
using Post = std::function<void(std::function<void()>)>;

// Whether commits get through.
enum class Health : std::uint8_t {
  good,
  low_on_space,  // a commit met a full disk; those since live on the reserve that was given back for them
  out_of_space,  // a commit waits for room
  locked,        // a commit waits for another process, which has held the database for longer than one should
};

// What the workers of a state know of it. They outlive its database: it may be lost, or another one put in its place.
struct Seen {
  std::string state_id;           // empty: they have not met a daemon yet
  std::uint64_t incarnation = 0;  // the highest start
};

struct OpenOptions {
  std::string path;  // of the database file; its folder exists
  Post post;
  std::function<void(Health)> on_health = nullptr;  // posted whenever it changes; it is `good` at first
  Seen seen = {};  // recover() refuses a database behind it (denied): it is an older copy, or a new one for a lost one
};

// One transaction. The bundle, if any, is written before the records.
struct Batch {
  std::vector<engine::Record> records;
  struct Bundle {
    std::string hash;
    std::string contents;  // JSON of workflow::Bundle
  };
  std::vector<Bundle> bundles;
  TimePoint now;  // of the event rows
};

// What a commit made visible, for those who follow.
struct Committed {
  std::vector<views::EventView> events;
};

// What the daemon goes on from.
struct Recovered {
  engine::Counters counters;
  std::uint64_t incarnation = 0;          // this start's: one more than the last, already committed
  std::string state_id;                   // made when the database was, for ever
  std::vector<engine::RunSnapshot> runs;  // those that have not ended, oldest first
  struct Quarantined {
    std::string run;
    std::string why;
    std::vector<AttemptId> attempts;  // those that had not ended
  };
  std::vector<Quarantined> quarantined;  // rows that made no sense: named, left alone, not run
};

class Store {
 public:
  // Opens or creates, checks, migrates. Errors: newer_format, corrupt, disk_full, denied, io, locked.
  static Result<std::unique_ptr<Store>> open(OpenOptions options);
  virtual ~Store() = default;  // commits what is queued, unless it has to wait

  // Synchronous; once, before anything else.
  virtual Result<Recovered> recover() = 0;

  // Queues a transaction. Several queued ones may be committed as one. `done` is posted in order, after the commit is
  // on disk (WAL, synchronous=FULL). On a full disk it is tried again until there is room, and while the database is
  // locked until it is free, so that disk_full and locked are only heard when the store is closed meanwhile; after any
  // other error nothing more will be committed.
  virtual void commit(Batch batch, std::function<void(Result<Committed>)> done) = 0;
  [[nodiscard]] virtual std::size_t queued() const = 0;  // batches not yet committed

  // Questions, answered in order on the reading thread. An answer shows at least everything whose `done` was posted
  // before the question.
  virtual void read(std::function<void(Queries&)> question) = 0;  // runs on the reading thread
  template <class T>
  void ask(std::function<Result<T>(Queries&)> question, std::function<void(Result<T>)> done) {
    read([this, question = std::move(question), done = std::move(done)](Queries& queries) {
      post([done, answer = question(queries)]() mutable { done(std::move(answer)); });
    });
  }

 protected:
  virtual void post(std::function<void()> completion) = 0;
};

// Integrity and sense of a database file that no daemon has open: one line per finding; empty: all is well. `fits`
// says why a run that has not ended does not fit its workflow, whose stored files it is given.
using FitsWorkflow = std::function<Result<>(const engine::RunSnapshot& run, const std::string& bundle)>;
Result<std::vector<std::string>> check_database(const std::string& path, const FitsWorkflow& fits = {},
                                                const Seen& seen = {});

// A consistent copy, also while a daemon runs: one file, 0600, synced, that was not there before. The copy says that it
// is one: no daemon goes on from it before adopt_database(). conflict: `to` exists already.
Result<> backup_database(const std::string& path, const std::string& to);

// The files of a database that is open: it itself, its log and the log's index. To remove or replace one takes nothing
// from who has it open, until that one ends: then all of it, or what was not yet moved out of the log, is gone.
// https://www.sqlite.org/howtocorrupt.html, sections 2.4 and 4
class OpenFiles {
 public:
  explicit OpenFiles(std::string path);  // as they are now; all must be there

  enum class Place : std::uint8_t {
    kept,
    lost,      // one is missing, or the log was replaced; the rest is as it was or missing too
    replaced,  // there is another database
  };
  [[nodiscard]] Place look() const;

  // Saves what is committed, as `queries` of the store that has them open can see it: in its old place if it was lost,
  // else, or if not `put_back`, in the new file `aside`. Where it is now. Nothing may be committed any more, and the
  // store must be closed next; not, if it can be helped, after an error: disk_full, with the reserve given back, io.
  Result<std::string> save(Queries& queries, const std::string& aside, bool put_back) const;

 private:
  // Device and inode; nothing: not there.
  using Identity = std::optional<std::pair<std::uint64_t, std::uint64_t>>;
  [[nodiscard]] std::array<Identity, 3> identities() const;
  void remove_logs(bool of_ours) const;  // log and index: those that are still ours, or those of others
  std::string path_;
  std::array<Identity, 3> opened_;
};

// Makes an older copy, put in its place, the state again. Its counters go on beyond whatever was given out since the
// copy was made, by the time of day and what the workers have `seen`: starts, run keys, attempt ids, the number of
// every instance's next attempt. An attempt that was about to start gets a new id; one that had started keeps its id
// and goes on if its worker knows it.
//
// A database that the workers do not know, another state's or a new one, becomes theirs: it takes their state's id, and
// as its attempts and logs are not with them, every open attempt gets a new id and no attempt has a log any more. What
// is neither known for a copy nor foreign stays as it is. No daemon may have the database open.
struct Adopted {
  bool was_copy = false;
  std::uint64_t runs = 0, active_runs = 0;
  bool foreign = false;  // the workers knew another state
};
Result<Adopted> adopt_database(const std::string& path, TimePoint now, const Seen& seen);

// Would a daemon go on from this database, with workers that have `seen` what they have? Changes nothing. Errors:
// denied, a copy; corrupt, newer_format, io.
Result<> check_origin(const std::string& path, const Seen& seen);

}  // namespace baton::store
