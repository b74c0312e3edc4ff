// Operations by id. An id is never used again: it holds a slot and the slot's generation, and
// generations begin at a random number at every start, so a reply to an operation that is no more
// (or that an earlier life of this node asked for) finds nothing. Slots are reused, so the steady
// state allocates nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace eddy::node {

template <class Op>
class OperationTable {
 public:
  // Ids of two tables differ if their `base` does by operations_max and more: the lower half of an
  // id is greater than `base` and at most base + operations_max.
  OperationTable(size_t operations_max, uint32_t first_generation, uint32_t base = 0)
      : operations_max_(operations_max), first_generation_(first_generation), base_(base) {}

  bool full() const { return size_ >= operations_max_; }
  size_t size() const { return size_; }

  // The id that the next Insert will give; never 0.
  uint64_t NextId() const {
    const uint32_t index = free_.empty() ? static_cast<uint32_t>(slots_.size()) : free_.back();
    const uint32_t generation = free_.empty() ? first_generation_ : slots_[index].generation;
    return uint64_t{generation} << 32 | (base_ + index + 1);
  }

  // The operation stays where it is until it is erased; other insertions may move it, so keep no
  // pointer.
  Op& Insert(Op op) { return Take().op.emplace(std::move(op)); }
  // Likewise, made in its place, where Op is a variant of operations.
  template <class Made, class... Args>
  Made& Emplace(Args&&... args) {
    return std::get<Made>(Take().op.emplace(std::in_place_type<Made>, std::forward<Args>(args)...));
  }

  Op* Find(uint64_t id) {
    const uint64_t index = (id & 0xffffffff) - base_ - 1;
    if (index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.op && slot.generation == id >> 32 ? &*slot.op : nullptr;
  }

  void Erase(uint64_t id) {
    const auto index = static_cast<uint32_t>((id & 0xffffffff) - base_ - 1);
    slots_[index].op.reset();
    ++slots_[index].generation;
    free_.push_back(index);
    --size_;
  }

  // Of all operations, in slot order.
  std::vector<uint64_t> Ids() const {
    std::vector<uint64_t> ids;
    ids.reserve(size_);
    for (uint32_t index = 0; index < slots_.size(); ++index) {
      const Slot& slot = slots_[index];
      if (slot.op) ids.push_back(uint64_t{slot.generation} << 32 | (base_ + index + 1));
    }
    return ids;
  }

  // Calls `visit(op)` for each, in slot order, and erases those for which it returns true. `visit`
  // must not insert.
  template <class Visit>
  void EraseIf(Visit visit) {
    for (uint32_t index = 0; index < slots_.size(); ++index) {
      Slot& slot = slots_[index];
      if (slot.op && visit(*slot.op)) Erase(uint64_t{slot.generation} << 32 | (base_ + index + 1));
    }
  }

 private:
  struct Slot {
    uint32_t generation;
    std::optional<Op> op;
  };

  // The slot that NextId names.
  Slot& Take() {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.push_back(Slot{first_generation_, std::nullopt});
    }
    Slot& slot = slots_[free_.back()];
    free_.pop_back();
    ++size_;
    return slot;
  }

  const size_t operations_max_;
  const uint32_t first_generation_;
  const uint32_t base_;
  size_t size_ = 0;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace eddy::node
