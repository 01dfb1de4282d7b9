#include <baton/store/store.hpp>

#include <cassert>
#include <utility>

#include "reader.hpp"
#include "recovery.hpp"
#include "schema.hpp"
#include "writer.hpp"

namespace baton::store {
namespace {

constexpr int kBusyAtStart = 250;  // milliseconds: somebody else has it

// A start must be possible on a full disk, or nobody would hear how runs end: it may have all of the reserve.
template <class Work>
auto with_reserve(const Reserve& reserve, const Work& work) {
  try {
    return work();
  } catch (const SqlError& error) {
    if (error.error().code != ErrorCode::disk_full || !reserve.give_back(0)) throw;
  }
  return work();
}

class SqliteStore : public Store {
 public:
  SqliteStore(std::unique_ptr<Connection> connection, const OpenOptions& options)
      : post_(options.post),
        seen_(options.seen),
        writer_(std::move(connection), options.post, options.on_health),
        reader_(std::make_unique<Reader>(options.path)) {}

  // The reader goes first: the last connection to be closed checkpoints, and only the writer may.
  ~SqliteStore() override { reader_.reset(); }

  Result<Recovered> recover() override {
    assert(!recovered_);
    try {
      Recovered recovered =
          with_reserve(writer_.reserve(), [this] { return recover_state(writer_.connection(), seen_); });
      writer_.connection().set_busy_timeout(kBusyAtWork);
      writer_.start(recovered.incarnation);
      recovered_ = true;
      return recovered;
    } catch (const SqlError& error) {
      return std::unexpected(error.error());
    } catch (const std::exception& error) {
      return fail(ErrorCode::internal, "cannot read the database: {}", error.what());
    }
  }

  void commit(Batch batch, std::function<void(Result<Committed>)> done) override {
    writer_.commit(std::move(batch), std::move(done));
  }
  [[nodiscard]] std::size_t queued() const override { return writer_.queued(); }

  void read(std::function<void(Queries&)> question) override { reader_->ask(std::move(question)); }

 protected:
  void post(std::function<void()> completion) override { post_(std::move(completion)); }

 private:
  Post post_;
  Seen seen_;
  Writer writer_;
  std::unique_ptr<Reader> reader_;
  bool recovered_ = false;
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(OpenOptions options) {
  if (const auto made = ensure_file(options.path); !made) return std::unexpected(made.error());
  try {
    // Already the index of the log takes room, which a daemon that ended in order has removed.
    return with_reserve(Reserve::beside(options.path), [&]() -> std::unique_ptr<Store> {
      auto connection = std::make_unique<Connection>(options.path, Access::read_write);
      connection->set_busy_timeout(kBusyAtStart);
      prepare_database(*connection);
      return std::make_unique<SqliteStore>(std::move(connection), options);
    });
  } catch (const SqlError& error) {
    return std::unexpected(error.error());
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "cannot open the database {}: {}", options.path, error.what());
  }
}

}  // namespace baton::store
