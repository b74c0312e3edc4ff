#include "sim/event_queue.h"

#include <algorithm>

namespace eddy::sim {

void EventQueue::Push(VirtualTime at, Event event) {
  heap_.push_back(Entry{at, sequence_++, event});
  std::push_heap(heap_.begin(), heap_.end(), Later{});
}

Event EventQueue::Pop() {
  std::pop_heap(heap_.begin(), heap_.end(), Later{});
  const Event event = heap_.back().event;
  heap_.pop_back();
  return event;
}

}  // namespace eddy::sim
