#include "channel.hpp"

#include <algorithm>

namespace baton::sim {

void Pipe::send(std::string bytes) {
  if (closed_ || bytes.empty()) return;
  world_.note(bytes);
  const std::uint64_t chance = world_.hash(id_, sent_++);
  const Time delay = chance % 40 == 0 ? 200 * kMs : 50 + chance % (2 * kMs);
  last_ = std::max(last_, world_.now() + delay);
  under_way_.push_back(std::move(bytes));
  world_.at(last_, nullptr, [self = shared_from_this()] { self->deliver(); });
}

void Pipe::deliver() {
  if (under_way_.empty()) return;  // cut
  std::string bytes = std::move(under_way_.front());
  under_way_.pop_front();
  if (!life_ || !life_->alive || bytes.empty()) return;
  // A frozen reader finds it when it thaws.
  if (life_->frozen) {
    life_->missed.push_back([self = shared_from_this(), bytes = std::move(bytes)] { self->bytes_(bytes); });
  } else {
    bytes_(std::move(bytes));
  }
}

void Pipe::end_later(Time notice) {
  world_.at(std::max(last_, world_.now()) + notice, life_, [self = shared_from_this()] {
    if (self->end_) self->end_();
  });
}

void Pipe::close(Time notice) {
  if (closed_) return;
  closed_ = true;
  end_later(notice);
}

void Pipe::cut(std::uint64_t chance, Time notice) {
  if (closed_) return;
  closed_ = true;
  std::size_t total = 0;
  for (const std::string& bytes : under_way_) total += bytes.size();
  std::size_t keep = chance % (total + 1);
  for (std::string& bytes : under_way_) {
    bytes.resize(std::min(bytes.size(), keep));
    keep -= bytes.size();
  }
  end_later(notice);
}

}  // namespace baton::sim
